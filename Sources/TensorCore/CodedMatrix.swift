/// Matrices whose weights are codes, one above the other: what products read as one weight `[rows, columns]`.
public struct CodedMatrix {
    /// Weights of so many rows each.
    public let parts: [(weights: CodedWeights, rows: Int)]
    /// Weights in a row.
    public let columns: Int

    /// One matrix, or several of equal columns.
    public init(_ parts: [(weights: CodedWeights, rows: Int)], columns: Int) {
        (self.parts, self.columns) = (parts, columns)
    }

    /// Rows of all.
    public var rows: Int { parts.reduce(0) { $0 + $1.rows } }
}

/// `codedProduct` of weights that are widened first: how a back end does it whose products do not read codes.
extension Backend {
    package func codedProductByWidening(
        _ a: Matrix, _ weight: CodedMatrix, transposed: Bool, bias: Tensor?, addend: Matrix?, into c: Matrix,
        accumulate: Bool
    ) {
        // Only this product reads the weight: what it would round it to is half as much to write.
        let wide = empty([weight.rows, weight.columns], resultType(of: [a.rows, a.columns], asFactor: true))
        var start = 0
        for part in weight.parts {
            widen(part.weights, into: wide.rows(start..<start + part.rows))
            start += part.rows
        }
        if transposed, !accumulate {
            linearMap(a, weight: wide.matrix, bias: bias, addend: addend, activation: nil, into: c)
        } else {
            precondition(addend == nil, "a sum with what is there takes no addend")
            product(
                a, transposeA: false, wide.matrix, transposeB: transposed, alpha: 1, bias: bias, into: c,
                accumulate: accumulate)
        }
    }
}
