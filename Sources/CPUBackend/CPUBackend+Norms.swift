import CKernels
public import TensorCore

extension CPUBackend {
    /// What kernels take for a destination that is not wanted.
    static var nowhere: vitrail_matrix { vitrail_matrix() }

    /// A row stays in the first-level cache while mean, variance and result are computed.
    public func layerNorm(
        _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor
    ) {
        vitrail_layer_norm(
            pool, x.window, weight.floatPointer, bias.floatPointer, epsilon, destination.eitherWindow,
            statistics.floatPointer)
    }

    /// One pass over memory; weight and bias gradients are summed per thread and added in order.
    public func layerNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix,
        into xGradient: (Matrix, accumulate: Bool)?, weightGradient: (Tensor, accumulate: Bool)?,
        biasGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, bias: Tensor, epsilon: Float)?
    ) {
        vitrail_layer_norm_gradient(
            pool, x.window, weight.floatPointer, value?.bias.floatPointer, statistics.floatPointer,
            gradient.eitherWindow,
            xGradient?.0.window ?? Self.nowhere, xGradient?.accumulate ?? false, weightGradient?.0.floatPointer,
            weightGradient?.accumulate ?? false, biasGradient?.0.floatPointer, biasGradient?.accumulate ?? false,
            value?.into.eitherWindow ?? Self.nowhere)
    }

    /// A row stays in the first-level cache while its length and the result are computed.
    public func rmsNorm(_ x: Matrix, weight: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor) {
        vitrail_rms_norm(
            pool, x.window, weight.floatPointer, epsilon, destination.eitherWindow, statistics.floatPointer)
    }

    /// One pass over memory; the weight gradient is summed per thread and added in order.
    public func rmsNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix, into xGradient: (Matrix, accumulate: Bool)?,
        weightGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, epsilon: Float)?
    ) {
        vitrail_rms_norm_gradient(
            pool, x.window, weight.floatPointer, statistics.floatPointer, gradient.eitherWindow,
            xGradient?.0.window ?? Self.nowhere, xGradient?.accumulate ?? false, weightGradient?.0.floatPointer,
            weightGradient?.accumulate ?? false, value?.into.eitherWindow ?? Self.nowhere)
    }

    /// A row stays in the first-level cache while its length and the result are computed.
    public func normalizeRows(_ x: Matrix, epsilon: Float, into destination: Matrix, norms: Tensor) {
        vitrail_normalize_rows(pool, x.window, epsilon, destination.window, norms.floatPointer)
    }

    /// One pass over memory.
    public func normalizeRowsGradient(
        normalized: Matrix, norms: Tensor, gradient: Matrix, epsilon: Float, into destination: Matrix, accumulate: Bool
    ) {
        vitrail_normalize_rows_gradient(
            pool, normalized.window, norms.floatPointer, gradient.window, epsilon, destination.window, accumulate)
    }
}
