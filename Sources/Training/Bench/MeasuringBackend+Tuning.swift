public import TensorCore

// What tuning methods need: forwarded and timed.
extension MeasuringBackend {
    /// Forwards, and notes the operations of x Aᵀ and (x Aᵀ) Bᵀ.
    public func lowRank(_ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, into y: Matrix) {
        for product in products { noteLowRank(terms: x.rows * (product.a.shape.count + product.b.shape.count)) }
        timed(.adapters) { base.lowRank(x, products, hidden: hidden, into: y) }
    }

    /// Forwards, and notes the operations of dB and dh, of dA and dx, as far as they are wanted.
    public func lowRankGradient(
        _ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, gradient: Matrix,
        into destinations: [LowRankDestination], xGradient: (Matrix, accumulate: Bool)?
    ) {
        for (product, destination) in zip(products, destinations) {
            let (wantsA, wantsB, wantsX) = (destination.a != nil, destination.b != nil, xGradient != nil)
            let ups = (wantsB ? 1 : 0) + (wantsA || wantsX ? 1 : 0)
            let downs = (wantsA ? 1 : 0) + (wantsX ? 1 : 0)
            noteLowRank(terms: x.rows * (ups * product.b.shape.count + downs * product.a.shape.count))
        }
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
