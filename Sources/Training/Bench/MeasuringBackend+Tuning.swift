public import TensorCore

// What tuning methods need: forwarded and timed.
extension MeasuringBackend {
    /// Forwards.
    public func lowRank(_ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, into y: Matrix) {
        timed(.adapters) { base.lowRank(x, a: a, b: b, scale: scale, hidden: hidden, into: y) }
    }

    /// Forwards.
    public func lowRankGradient(
        _ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, gradient: Matrix,
        aGradient: (Tensor, accumulate: Bool)?, bGradient: (Tensor, accumulate: Bool)?,
        xGradient: (Matrix, accumulate: Bool)?
    ) {
        timed(.adapters) {
            base.lowRankGradient(
                x, a: a, b: b, scale: scale, hidden: hidden, gradient: gradient, aGradient: aGradient,
                bGradient: bGradient, xGradient: xGradient)
        }
    }

    /// Forwards.
    public func widen(_ weights: CodedWeights, into destination: Tensor) {
        timed(.adapters) { base.widen(weights, into: destination) }
    }
}
