import CKernels
public import TensorCore

extension CPUBackend {
    /// One pass; 16 elements at a time.
    public func add(_ a: Tensor, _ b: Tensor, into destination: Tensor) {
        vitrail_add(pool, a.floatPointer, b.floatPointer, destination.floatPointer, destination.count)
    }

    /// One pass; 16 elements at a time.
    public func scale(_ source: Tensor, by factor: Float, into destination: Tensor, accumulate: Bool) {
        vitrail_scale(
            pool, source.floatPointer, factor, destination.floatPointer, destination.count, accumulate)
    }

    /// One pass; 16 elements at a time.
    public func multiply(_ a: Tensor, _ b: Tensor, into destination: Tensor, accumulate: Bool) {
        vitrail_multiply(
            pool, a.floatPointer, b.floatPointer, destination.floatPointer, destination.count, accumulate)
    }

    /// Rows are shared out over the threads.
    public func scaleColumns(_ x: Matrix, by vector: Tensor, into destination: Matrix, accumulate: Bool) {
        vitrail_scale_columns(pool, x.window, vector.floatPointer, destination.window, accumulate)
    }

    /// Every thread sums its rows; the sums are added in the order of the threads.
    public func sumRows(_ a: Matrix, _ b: Matrix?, into destination: Tensor, accumulate: Bool) {
        guard let b else {
            vitrail_sum_rows(pool, a.eitherWindow, nil, destination.floatPointer, accumulate)
            return
        }
        var other = b.eitherWindow
        vitrail_sum_rows(pool, a.eitherWindow, &other, destination.floatPointer, accumulate)
    }

    /// One pass with polynomials for exp, tanh and Φ that are within 3e-7 of the exact value.
    public func activation(_ function: Activation, _ x: Tensor, into destination: Tensor) {
        vitrail_activation(pool, function.kernelKind, x.matrix.eitherWindow, destination.matrix.eitherWindow)
    }

    /// One pass that computes the slope anew, so that nothing but x is kept.
    public func activationGradient(
        _ function: Activation, _ x: Tensor, gradient: Tensor, into destination: Tensor, accumulate: Bool,
        value: Tensor?
    ) {
        vitrail_activation_gradient(
            pool, function.kernelKind, x.matrix.eitherWindow, gradient.matrix.eitherWindow,
            destination.matrix.eitherWindow, accumulate, value?.matrix.eitherWindow ?? Self.nowhere)
    }

    /// One pass: the activated gate is never written.
    public func gatedActivation(_ function: Activation, _ x: Matrix, into destination: Matrix) {
        vitrail_gated_activation(pool, function.kernelKind, x.eitherWindow, destination.eitherWindow)
    }

    /// One pass for both halves.
    public func gatedActivationGradient(
        _ function: Activation, _ x: Matrix, gradient: Matrix, into destination: Matrix, accumulate: Bool,
        value: Matrix?
    ) {
        vitrail_gated_activation_gradient(
            pool, function.kernelKind, x.eitherWindow, gradient.eitherWindow, destination.eitherWindow, accumulate,
            value?.eitherWindow ?? Self.nowhere)
    }

    /// The mask is a function of seed and element (SplitMix64), whatever the division into threads.
    public func dropout(_ x: Tensor, rate: Float, seed: UInt64, into destination: Tensor, accumulate: Bool) {
        vitrail_dropout(pool, x.floatPointer, rate, seed, destination.floatPointer, x.count, accumulate)
    }
}
