public import TensorCore

// Norms and rows: forwarded and timed.
extension MeasuringBackend {
    /// Forwards.
    public func layerNorm(
        _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor
    ) {
        timed(.norms) {
            base.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon, into: destination, statistics: statistics)
        }
    }

    /// Forwards.
    public func layerNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix,
        into xGradient: (Matrix, accumulate: Bool)?, weightGradient: (Tensor, accumulate: Bool)?,
        biasGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, bias: Tensor, epsilon: Float)?
    ) {
        timed(.norms) {
            base.layerNormGradient(
                x, weight: weight, statistics: statistics, gradient: gradient, into: xGradient,
                weightGradient: weightGradient, biasGradient: biasGradient, value: value)
        }
    }

    /// Forwards.
    public func rmsNorm(_ x: Matrix, weight: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor) {
        timed(.norms) { base.rmsNorm(x, weight: weight, epsilon: epsilon, into: destination, statistics: statistics) }
    }

    /// Forwards.
    public func rmsNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix, into xGradient: (Matrix, accumulate: Bool)?,
        weightGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, epsilon: Float)?
    ) {
        timed(.norms) {
            base.rmsNormGradient(
                x, weight: weight, statistics: statistics, gradient: gradient, into: xGradient,
                weightGradient: weightGradient, value: value)
        }
    }

    /// Forwards.
    public func normalizeRows(_ x: Matrix, epsilon: Float, into destination: Matrix, norms: Tensor) {
        timed(.norms) { base.normalizeRows(x, epsilon: epsilon, into: destination, norms: norms) }
    }

    /// Forwards.
    public func normalizeRowsGradient(
        normalized: Matrix, norms: Tensor, gradient: Matrix, epsilon: Float, into destination: Matrix, accumulate: Bool
    ) {
        timed(.norms) {
            base.normalizeRowsGradient(
                normalized: normalized, norms: norms, gradient: gradient, epsilon: epsilon, into: destination,
                accumulate: accumulate)
        }
    }

    /// Forwards.
    public func gatherRows(_ table: Matrix, indices: Tensor, into destination: Matrix, accumulate: Bool) {
        timed(.rows) { base.gatherRows(table, indices: indices, into: destination, accumulate: accumulate) }
    }

    /// Forwards.
    public func scatterAddRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        timed(.rows) { base.scatterAddRows(source, indices: indices, into: destination) }
    }

    /// Forwards.
    public func scatterRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        timed(.rows) { base.scatterRows(source, indices: indices, into: destination) }
    }

    /// Forwards.
    public func meanRows(_ x: Matrix, offsets: Tensor, into destination: Matrix) {
        timed(.rows) { base.meanRows(x, offsets: offsets, into: destination) }
    }

    /// Forwards.
    public func meanRowsGradient(_ gradient: Matrix, offsets: Tensor, into destination: Matrix, accumulate: Bool) {
        timed(.rows) { base.meanRowsGradient(gradient, offsets: offsets, into: destination, accumulate: accumulate) }
    }

    /// Forwards.
    public func patches(_ images: Tensor, patchSize: Int, into destination: Matrix) {
        timed(.rows) { base.patches(images, patchSize: patchSize, into: destination) }
    }

    /// Forwards.
    public func patchesGradient(_ gradient: Matrix, patchSize: Int, into destination: Tensor, accumulate: Bool) {
        timed(.rows) {
            base.patchesGradient(gradient, patchSize: patchSize, into: destination, accumulate: accumulate)
        }
    }
}
