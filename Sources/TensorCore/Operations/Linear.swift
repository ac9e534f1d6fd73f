/// One run of outputs of a fused linear map: rows of the weight, with the nodes that want their gradients.
public struct LinearPart {
    /// Rows of the fused weight, columns of the result.
    public let range: Range<Int>
    /// Node of this part's weight, nil when frozen.
    public let weight: GraphNode?
    /// Node of this part's bias, nil when frozen or absent.
    public let bias: GraphNode?

    /// A part of a fused map.
    public init(range: Range<Int>, weight: GraphNode?, bias: GraphNode?) {
        self.range = range
        self.weight = weight
        self.bias = bias
    }
}

/// y = x Wᵀ + b.
///
/// - Parameters:
///   - x: `[…, inputs]`.
///   - weight: `[outputs, inputs]`, in any weight dtype.
///   - bias: `[outputs]`.
/// - Returns: `[…, outputs]`.
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
    linear(
        x, weight: weight, bias: bias,
        parts: [LinearPart(range: 0..<weight.shape[0], weight: weight.node, bias: bias?.node)])
}

/// y = x Wᵀ + b for several maps of the same input stacked into one weight: one product instead of three.
///
/// Gradients: dx = dy W; for each part that wants one, dW = dyᵀ x and db = Σ_rows dy.
/// - Parameters:
///   - x: `[…, inputs]`.
///   - weight: all parts, `[outputs, inputs]`.
///   - bias: all parts, `[outputs]`.
///   - parts: which rows belong to whom; rows of frozen parts may be left out.
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor?, parts: [LinearPart]) -> Tensor {
    let inputs = weight.shape.columns
    let outputs = weight.shape.rows
    precondition(x.shape.columns == inputs, "linear: input \(x.shape) does not fit weight \(weight.shape)")
    precondition(bias.map { $0.count == outputs } ?? true, "linear: bias \(bias!.shape) does not fit \(weight.shape)")
    let backend = x.backend
    let y = backend.empty(Shape(x.shape.dimensions.dropLast() + [outputs]))
    backend.product(
        x.matrix, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: bias?.detached, into: y.matrix,
        accumulate: false)
    let wanted = parts.flatMap { [$0.weight, $0.bias] }
    return y.recorded(from: [x.node] + wanted) { gradient in
        let dy = gradient.matrix
        for part in parts {
            let columns = dy.columns(part.range)
            part.weight?.accumulate { destination, accumulates in
                backend.product(
                    columns, transposeA: true, x.matrix, transposeB: false, alpha: 1, bias: nil,
                    into: destination.matrix, accumulate: accumulates)
            }
            part.bias?.accumulate { destination, accumulates in
                backend.sumRows(columns, nil, into: destination, accumulate: accumulates)
            }
        }
        x.node?.accumulate { destination, accumulates in
            backend.product(
                dy, transposeA: false, weight.matrix, transposeB: false, alpha: 1, bias: nil, into: destination.matrix,
                accumulate: accumulates)
        }
    }
}

/// c = a b, or a bᵀ, for two matrices.
///
/// Gradients of c = a b: da = dc bᵀ, db = aᵀ dc; of c = a bᵀ: da = dc b, db = dcᵀ a.
public func matrixProduct(_ a: Tensor, _ b: Tensor, transposeB: Bool = false) -> Tensor {
    let inner = transposeB ? b.shape.columns : b.shape.rows
    let columns = transposeB ? b.shape.rows : b.shape.columns
    precondition(a.shape.columns == inner, "product: \(a.shape) does not fit \(b.shape), transposed: \(transposeB)")
    let backend = a.backend
    let c = backend.empty([a.shape.rows, columns])
    func multiply(_ x: Matrix, _ tx: Bool, _ y: Matrix, _ ty: Bool, _ destination: Tensor, _ accumulates: Bool) {
        backend.product(
            x, transposeA: tx, y, transposeB: ty, alpha: 1, bias: nil, into: destination.matrix, accumulate: accumulates
        )
    }
    multiply(a.matrix, false, b.matrix, transposeB, c, false)
    return c.recorded(from: [a.node, b.node]) { gradient in
        let dc = gradient.matrix
        a.node?.accumulate { multiply(dc, false, b.matrix, !transposeB, $0, $1) }
        b.node?.accumulate { destination, accumulates in
            if transposeB {
                multiply(dc, true, a.matrix, false, destination, accumulates)
            } else {
                multiply(a.matrix, true, dc, false, destination, accumulates)
            }
        }
    }
}
