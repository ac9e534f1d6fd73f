public import TensorCore

// What tuning methods need: forwarded and timed.
extension MeasuringBackend {
    /// Forwards.
    public func lowRank(_ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, into y: Matrix) {
        timed(.adapters) { base.lowRank(x, products, hidden: hidden, into: y) }
    }

    /// Forwards.
    public func lowRankGradient(
        _ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, gradient: Matrix,
        into destinations: [LowRankDestination], xGradient: (Matrix, accumulate: Bool)?
    ) {
        timed(.adapters) {
            base.lowRankGradient(
                x, products, hidden: hidden, gradient: gradient, into: destinations, xGradient: xGradient)
        }
    }

    /// Forwards.
    public func widen(_ weights: CodedWeights, into destination: Tensor) {
        timed(.adapters) { base.widen(weights, into: destination) }
    }

    /// Forwards, and notes the product's form as that of the weights' values.
    public func codedProduct(
        _ a: Matrix, _ weight: CodedMatrix, transposed: Bool, bias: Tensor?, addend: Matrix?, into c: Matrix,
        accumulate: Bool
    ) {
        note(
            ProductForm(
                rows: c.rows, columns: c.columns, terms: a.columns, transposeA: false, transposeB: transposed,
                accumulates: accumulate, left: a.dtype,
                right: base.resultType(of: [a.rows, a.columns], asFactor: true),
                result: c.dtype))
        timed(.products) {
            base.codedProduct(
                a, weight, transposed: transposed, bias: bias, addend: addend, into: c, accumulate: accumulate)
        }
    }
}
