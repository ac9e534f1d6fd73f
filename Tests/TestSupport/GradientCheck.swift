import ReferenceBackend
public import TensorCore
public import Testing

/// One input of a differentiable function under test.
public struct CheckedInput: Sendable {
    /// For messages.
    public let name: String
    /// Extents.
    public let shape: [Int]
    /// Largest magnitude.
    public let scale: Float

    /// Values are drawn from −scale ..< scale.
    public init(_ name: String, _ shape: [Int], scale: Float = 1) {
        (self.name, self.shape, self.scale) = (name, shape, scale)
    }
}

/// Compares the gradients that `function` computes on `backend` with differences of its values on the reference back end.
///
/// The objective is Σ y ⊙ g for fixed random g (g = 1 for a scalar: losses are the root of their graph), summed in double. Five points,
/// (f(−2h) − 8 f(−h) + 8 f(h) − f(2h)) / 12h with h = 1/16, err by h⁴/30 of the fifth derivative, some 1e-6; the float32 rounding of the
/// outputs, divided by h, is 1e-6 √n of their scale. The tolerance of 1e-4 of the gradient's scale leaves room for both.
public func expectGradients(
    of inputs: [CheckedInput], on backend: any Backend, seed: UInt64 = 11, tolerance: Double = 1e-4,
    _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Tensor]) -> Tensor
) {
    var numbers = NumberStream(seed: seed)
    let start = inputs.map { numbers.values($0.shape.reduce(1, *), scale: $0.scale) }
    let reference = ReferenceBackend()
    var upstream: [Float] = []

    func value(_ values: [[Float]]) -> Double {
        let tensors = zip(values, inputs).map { Tensor($0, shape: Shape($1.shape), on: reference) }
        let outputs = GradientRecording.disabled { function(tensors).floats }
        if upstream.isEmpty { upstream = outputs.count == 1 ? [1] : numbers.values(outputs.count) }
        return zip(outputs, upstream).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    _ = value(start)
    let parameters = zip(start, inputs).map {
        Parameter(Tensor($0, shape: Shape($1.shape), on: backend), decays: false)
    }
    let result = function(parameters.map(\.tensor))
    result.backward(seed: Tensor(upstream, shape: result.shape, on: backend))
    for (position, input) in inputs.enumerated() {
        guard let gradient = parameters[position].gradient else {
            Issue.record("\(what): \(input.name) has no gradient", sourceLocation: sourceLocation)
            continue
        }
        let step: Float = 1 / 16
        let differences = start[position].indices.map { element -> Float in
            func moved(_ steps: Float) -> Double {
                var values = start
                values[position][element] += steps * step
                return value(values)
            }
            return Float((moved(-2) - 8 * moved(-1) + 8 * moved(1) - moved(2)) / (12 * Double(step)))
        }
        expectClose(
            gradient.floats, differences, .ofScale(tolerance), "\(what), gradient of \(input.name)",
            sourceLocation: sourceLocation)
    }
}
