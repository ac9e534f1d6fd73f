public import TensorCore

// Memory and elementwise kernels: forwarded and timed.
extension MeasuringBackend {
    /// Forwards.
    public func upload(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor) {
        timed(.memory) { base.upload(bytes, to: tensor) }
    }

    /// Forwards.
    public func download(_ tensor: Tensor, to bytes: UnsafeMutableRawBufferPointer) {
        timed(.memory) { base.download(tensor, to: bytes) }
    }

    /// Forwards.
    public func fill(_ tensor: Tensor, _ value: Float) {
        timed(.memory) { base.fill(tensor, value) }
    }

    /// Forwards.
    public func copy(_ source: Tensor, into destination: Tensor) {
        timed(.memory) { base.copy(source, into: destination) }
    }

    /// Forwards.
    public func convert(_ source: Tensor, into destination: Tensor) {
        timed(.memory) { base.convert(source, into: destination) }
    }

    /// Forwards.
    public func add(_ a: Tensor, _ b: Tensor, into destination: Tensor) {
        timed(.elementwise) { base.add(a, b, into: destination) }
    }

    /// Forwards.
    public func scale(_ source: Tensor, by factor: Float, into destination: Tensor, accumulate: Bool) {
        timed(.elementwise) { base.scale(source, by: factor, into: destination, accumulate: accumulate) }
    }

    /// Forwards.
    public func multiply(_ a: Tensor, _ b: Tensor, into destination: Tensor, accumulate: Bool) {
        timed(.elementwise) { base.multiply(a, b, into: destination, accumulate: accumulate) }
    }

    /// Forwards.
    public func scaleColumns(_ x: Matrix, by vector: Tensor, into destination: Matrix, accumulate: Bool) {
        timed(.elementwise) { base.scaleColumns(x, by: vector, into: destination, accumulate: accumulate) }
    }

    /// Forwards.
    public func sumRows(_ a: Matrix, _ b: Matrix?, into destination: Tensor, accumulate: Bool) {
        timed(.elementwise) { base.sumRows(a, b, into: destination, accumulate: accumulate) }
    }

    /// Forwards.
    public func activation(_ function: Activation, _ x: Tensor, into destination: Tensor) {
        timed(.activations) { base.activation(function, x, into: destination) }
    }

    /// Forwards.
    public func activationGradient(
        _ function: Activation, _ x: Tensor, gradient: Tensor, into destination: Tensor, accumulate: Bool,
        value: Tensor?
    ) {
        timed(.activations) {
            base.activationGradient(
                function, x, gradient: gradient, into: destination, accumulate: accumulate, value: value)
        }
    }

    /// Forwards.
    public func gatedActivation(_ function: Activation, _ x: Matrix, into destination: Matrix) {
        timed(.activations) { base.gatedActivation(function, x, into: destination) }
    }

    /// Forwards.
    public func gatedActivationGradient(
        _ function: Activation, _ x: Matrix, gradient: Matrix, into destination: Matrix, accumulate: Bool,
        value: Matrix?
    ) {
        timed(.activations) {
            base.gatedActivationGradient(
                function, x, gradient: gradient, into: destination, accumulate: accumulate, value: value)
        }
    }

    /// Forwards.
    public func dropout(_ x: Tensor, rate: Float, seed: UInt64, into destination: Tensor, accumulate: Bool) {
        timed(.elementwise) { base.dropout(x, rate: rate, seed: seed, into: destination, accumulate: accumulate) }
    }
}
