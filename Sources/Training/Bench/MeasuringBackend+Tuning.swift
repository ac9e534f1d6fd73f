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
}
