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
        make(shape, decays: decays, numbers: 2) { Float($0.normal()) * deviation }
    }

    /// Evenly distributed weights in ±bound.
    public func uniform(_ shape: Shape, bound: Float, decays: Bool = true) -> Parameter {
        make(shape, decays: decays, numbers: 1) { (Float($0.uniform()) * 2 - 1) * bound }
    }

    /// One value everywhere: biases (0) and norm weights (1), which do not decay.
    public func constant(_ shape: Shape, _ value: Float, decays: Bool = false) -> Parameter {
        let tensor = backend.empty(shape)
        backend.fill(tensor, value)
        return Parameter(tensor, decays: decays)
    }

    /// Moves parameters into one block of memory, in order, so that maps of the same input multiply as one.
    public func makeAdjacent(_ parameters: [Parameter?]) {
        let parameters = parameters.compactMap { $0 }
        guard parameters.count > 1, let dtype = parameters.first?.value.dtype else { return }
        // Memory that a checkpoint fills is not touched before.
        ParameterTree.place([parameters], as: dtype) { if fills { $1.value.backend.copy($1.value, into: $0) } }
    }

    /// A seed for something else that needs one, in order with the rest.
    public func seed() -> UInt64 { generator.next() }

    /// Draws in pieces on all threads. Each piece goes on from where the one before would have left the generator, so the values are
    /// those of one row.
    ///
    /// - Parameter numbers: how many numbers of the generator a value takes.
    private func make(
        _ shape: Shape, decays: Bool, numbers: Int, _ draw: @Sendable (inout RandomGenerator) -> Float
    ) -> Parameter {
        guard fills else { return Parameter(backend.empty(shape), decays: decays) }
        let piece = 16_384
        var starts: [RandomGenerator] = []
        for start in stride(from: 0, to: shape.count, by: piece) {
            starts.append(generator)
            generator.skip(numbers * min(piece, shape.count - start))
        }
        // A thread costs as much as some thousand values.
        let workers = shape.count < 2 * piece ? 1 : backend.threads
        let tensor = backend.empty(shape)
        // Straight into the parameter: arrays of threads that end stay with the allocator.
        nonisolated(unsafe) let values = tensor.floatPointer
        _ = try? Parallel.map(Array(starts.enumerated()), workers: workers) { index, generator in
            var generator = generator
            for place in index * piece..<min((index + 1) * piece, shape.count) { values[place] = draw(&generator) }
        }
        return Parameter(tensor, decays: decays)
    }
}
