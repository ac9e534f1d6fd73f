import Basics
public import TensorCore

/// Makes the parameters of a new model: where their memory is, and what they start from.
///
/// One generator runs through the modules in the order in which they are built, so a seed and a configuration give the same
/// weights on every machine.
public final class Initializer {
    /// Where parameters live.
    public let backend: any Backend
    private var generator: RandomGenerator
    private let fills: Bool

    /// - Parameter fills: false when a checkpoint fills every parameter afterwards, which saves drawing the numbers.
    public init(backend: any Backend, seed: UInt64 = 0, fills: Bool = true) {
        self.backend = backend
        self.generator = RandomGenerator(seed: seed)
        self.fills = fills
    }

    /// Normally distributed weights with mean 0.
    public func normal(_ shape: Shape, deviation: Float, decays: Bool = true) -> Parameter {
        make(shape, decays: decays) { Float($0.normal()) * deviation }
    }

    /// Evenly distributed weights in ±bound.
    public func uniform(_ shape: Shape, bound: Float, decays: Bool = true) -> Parameter {
        make(shape, decays: decays) { (Float($0.uniform()) * 2 - 1) * bound }
    }

    /// One value everywhere: biases (0) and norm weights (1), which do not decay.
    public func constant(_ shape: Shape, _ value: Float, decays: Bool = false) -> Parameter {
        let tensor = backend.empty(shape)
        backend.fill(tensor, value)
        return Parameter(tensor, decays: decays)
    }

    /// A seed for something else that needs one, in order with the rest.
    public func seed() -> UInt64 { generator.next() }

    private func make(_ shape: Shape, decays: Bool, _ draw: (inout RandomGenerator) -> Float) -> Parameter {
        guard fills else { return Parameter(backend.empty(shape), decays: decays) }
        let values = (0..<shape.count).map { _ in draw(&generator) }
        return Parameter(Tensor(values, shape: shape, on: backend), decays: decays)
    }
}
