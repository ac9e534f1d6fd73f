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
    /// How the parameters made so far get their numbers, where those wait for `fill()`.
    private var waiting: [(parameter: Parameter, write: Write)]?

    /// Writes a range of a parameter's numbers into float32 memory.
    private typealias Write = (_ range: Range<Int>, _ destination: UnsafeMutablePointer<Float>) -> Void

    /// - Parameter fills: false when a checkpoint fills every parameter afterwards, which saves drawing the numbers.
    public init(backend: any Backend, seed: UInt64 = 0, fills: Bool = true) {
        self.backend = backend
        self.generator = RandomGenerator(seed: seed)
        self.fills = fills
    }

    /// Makes parameters that take no memory before `fill()`: until then they can be given a narrower form.
    public convenience init(fillingLaterOn backend: any Backend, seed: UInt64) {
        self.init(backend: backend, seed: seed, fills: false)
        waiting = []
    }

    /// Gives every parameter the numbers that it would have had at once, in the form that it has now. Numbers in another form are
    /// drawn piece by piece, so that the whole never exists in float32.
    public func fill() {
        let piece = Self.piece * DType.wholeBlocks / 4  // some three million, whole blocks of every form
        for (parameter, write) in waiting ?? [] {
            let value = parameter.value
            guard value.dtype != .float32 else {
                write(0..<value.count, value.floatPointer)
                continue
            }
            for start in stride(from: 0, to: value.count, by: piece) {
                let count = min(piece, value.count - start)
                let numbers = backend.empty([count])
                write(start..<start + count, numbers.floatPointer)
                let part = Tensor(
                    shape: [count], dtype: value.dtype, storage: value.storage,
                    byteOffset: value.byteOffset + value.dtype.byteCount(of: start))
                backend.convert(numbers, into: part)
            }
        }
        waiting = waiting.map { _ in [] }
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
        let parameter = Parameter(backend.promised(shape), decays: decays)
        if waiting == nil {
            backend.fill(parameter.value, value)
        } else {
            waiting?.append((parameter, { range, target in target.update(repeating: value, count: range.count) }))
        }
        return parameter
    }

    /// Moves parameters into one block of memory, in order, so that maps of the same input multiply as one.
    public func makeAdjacent(_ parameters: [Parameter?]) {
        let parameters = parameters.compactMap { $0 }
        guard parameters.count > 1, let dtype = parameters.first?.value.dtype else { return }
        for (parameter, next) in zip(parameters, parameters.dropFirst()) { parameter.next = next }
        // Memory that a checkpoint fills is not taken before.
        ParameterTree.place([parameters], as: dtype) { if fills { $1.value.backend.copy($1.value, into: $0) } }
    }

    /// A seed for something else that needs one, in order with the rest.
    public func seed() -> UInt64 { generator.next() }

    /// Draws in pieces on all threads. Each piece goes on from where the one before would have left the generator, so the values are
    /// those of one row.
    ///
    /// - Parameter numbers: how many numbers of the generator a value takes.
    private func make(
        _ shape: Shape, decays: Bool, numbers: Int, _ draw: @escaping @Sendable (inout RandomGenerator) -> Float
    ) -> Parameter {
        let parameter = Parameter(backend.promised(shape), decays: decays)
        guard fills || waiting != nil else { return parameter }
        let piece = Self.piece
        var starts: [RandomGenerator] = []
        for start in stride(from: 0, to: shape.count, by: piece) {
            starts.append(generator)
            generator.skip(numbers * min(piece, shape.count - start))
        }
        let threads = backend.threads
        let write: Write = { range, destination in
            // A thread costs as much as some thousand values.
            let workers = range.count < 2 * piece ? 1 : threads
            // Straight into the parameter: arrays of threads that end stay with the allocator.
            nonisolated(unsafe) let values = destination
            let pieces = range.lowerBound / piece..<(range.upperBound + piece - 1) / piece
            _ = try? Parallel.map(Array(zip(pieces, starts[pieces])), workers: workers) { index, generator in
                var generator = generator
                for place in index * piece..<min((index + 1) * piece, range.upperBound) {
                    values[place - range.lowerBound] = draw(&generator)
                }
            }
        }
        if waiting == nil {
            write(0..<shape.count, parameter.value.floatPointer)
        } else {
            waiting?.append((parameter, write))
        }
        return parameter
    }

    /// Values that one thread draws in a row; ranges of `Write` begin at multiples of it.
    private static let piece = 16_384
}
