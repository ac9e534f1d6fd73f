public import TensorCore

// Attention, losses and optimizers: forwarded and timed.
extension MeasuringBackend {
    /// Forwards.
    public func rotate(_ x: Matrix, headWidth: Int, positions: Tensor, table: Tensor, inverse: Bool) {
        timed(.attention) {
            base.rotate(x, headWidth: headWidth, positions: positions, table: table, inverse: inverse)
        }
    }

    /// Forwards.
    public func attention(
        query: Matrix, key: Matrix, value: Matrix, heads: HeadLayout, segments: AttentionSegments,
        into destination: Matrix, logSumExp: Tensor?
    ) {
        timed(.attention) {
            base.attention(
                query: query, key: key, value: value, heads: heads, segments: segments, into: destination,
                logSumExp: logSumExp)
        }
    }

    /// Forwards.
    public func attentionGradient(
        query: Matrix, key: Matrix, value: Matrix, output: Matrix, logSumExp: Tensor, gradient: Matrix,
        heads: HeadLayout, segments: AttentionSegments, intoQuery: Matrix, key intoKey: Matrix, value intoValue: Matrix
    ) {
        timed(.attention) {
            base.attentionGradient(
                query: query, key: key, value: value, output: output, logSumExp: logSumExp, gradient: gradient,
                heads: heads, segments: segments, intoQuery: intoQuery, key: intoKey, value: intoValue)
        }
    }

    /// Forwards.
    public func softmaxCrossEntropy(_ logits: Matrix, labels: Tensor, losses: Tensor, gradientScale: Float?) {
        timed(.losses) {
            base.softmaxCrossEntropy(logits, labels: labels, losses: losses, gradientScale: gradientScale)
        }
    }

    /// Forwards.
    public func softmax(_ logits: Matrix) {
        timed(.losses) { base.softmax(logits) }
    }

    /// Forwards.
    public func pairwiseSigmoidLoss(
        _ similarities: Matrix, targets: Matrix, temperature: Float, bias: Float, losses: Tensor
    ) {
        timed(.losses) {
            base.pairwiseSigmoidLoss(
                similarities, targets: targets, temperature: temperature, bias: bias, losses: losses)
        }
    }

    /// Forwards.
    public func sumOfSquares(_ tensors: [Tensor]) -> Double {
        timed(.optimizer) { base.sumOfSquares(tensors) }
    }

    /// Forwards; while it measures, to the end of the update.
    public func adamW(_ slices: [AdamWSlice], settings: AdamWSettings) -> (any PendingUpdate)? {
        timed(.optimizer) {
            let update = base.adamW(slices, settings: settings)
            if isMeasuring { update?.wait(slices: slices.count) }
            return update
        }
    }
}
