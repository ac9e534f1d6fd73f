import CKernels
public import TensorCore

extension CPUBackend {
    public func add(_ a: Tensor, _ b: Tensor, into destination: Tensor) {
        vitrail_add(pool, a.floatPointer, b.floatPointer, destination.floatPointer, destination.count)
    }

    public func scale(_ source: Tensor, by factor: Float, into destination: Tensor, accumulate: Bool) {
        vitrail_scale(
            pool, source.floatPointer, factor, destination.floatPointer, destination.count, accumulate)
    }

    public func multiply(_ a: Tensor, _ b: Tensor, into destination: Tensor, accumulate: Bool) {
        vitrail_multiply(
            pool, a.floatPointer, b.floatPointer, destination.floatPointer, destination.count, accumulate)
    }

    public func scaleColumns(_ x: Matrix, by vector: Tensor, into destination: Matrix, accumulate: Bool) {
        vitrail_scale_columns(pool, x.window, vector.floatPointer, destination.window, accumulate)
    }

    public func sumRows(_ a: Matrix, _ b: Matrix?, into destination: Tensor, accumulate: Bool) {
        guard let b else {
            vitrail_sum_rows(pool, a.window, nil, destination.floatPointer, accumulate)
            return
        }
        var other = b.window
        vitrail_sum_rows(pool, a.window, &other, destination.floatPointer, accumulate)
    }

    public func activation(_ function: Activation, _ x: Tensor, into destination: Tensor) {
        vitrail_activation(pool, function.kernelKind, x.floatPointer, destination.floatPointer, x.count)
    }

    public func activationGradient(
        _ function: Activation, _ x: Tensor, gradient: Tensor, into destination: Tensor, accumulate: Bool
    ) {
        vitrail_activation_gradient(
            pool, function.kernelKind, x.floatPointer, gradient.floatPointer, destination.floatPointer, x.count,
            accumulate)
    }

    public func gatedActivation(_ function: Activation, _ x: Matrix, into destination: Matrix) {
        vitrail_gated_activation(pool, function.kernelKind, x.window, destination.window)
    }

    public func gatedActivationGradient(
        _ function: Activation, _ x: Matrix, gradient: Matrix, into destination: Matrix, accumulate: Bool
    ) {
        vitrail_gated_activation_gradient(
            pool, function.kernelKind, x.window, gradient.window, destination.window, accumulate)
    }

    public func dropout(_ x: Tensor, rate: Float, seed: UInt64, into destination: Tensor, accumulate: Bool) {
        vitrail_dropout(pool, x.floatPointer, rate, seed, destination.floatPointer, x.count, accumulate)
    }
}
