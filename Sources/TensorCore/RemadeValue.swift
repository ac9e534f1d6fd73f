/// A value that is not kept for gradients but computed again from what its own gradient keeps anyway, bit for bit: by itself, or on the
/// way by its own gradient's kernel, which reads the same numbers.
final class RemadeValue {
    /// Computes the value by itself.
    let compute: () -> Tensor
    private let allocate: () -> Tensor
    private var readers = 0
    private var value: Tensor?

    /// - Parameters:
    ///   - allocate: memory for the value.
    ///   - write: computes it.
    init(allocate: @escaping () -> Tensor, write: @escaping (Tensor) -> Void) {
        self.allocate = allocate
        compute = {
            let again = allocate()
            write(again)
            return again
        }
    }

    /// One more reads the value when its node's gradient has gone on.
    func expectReader() { readers += 1 }

    /// Where the gradient's kernel writes the value; nil where nobody waits for it.
    func open() -> Tensor? {
        guard readers > 0 else { return nil }
        value = allocate()
        return value
    }

    /// The value for one reader; its memory goes with the last.
    func take() -> Tensor {
        guard let made = value else { return compute() }
        readers -= 1
        if readers == 0 { value = nil }
        return made
    }
}

/// The part of a map's gradient that reads the map's input, such as that of its weights, where that input is computed again: its turn
/// comes when the input's own gradient has been computed, and the input with it.
final class InputReader: GraphNode {
    /// The input's node.
    let source: GraphNode
    /// Until it has been read: it leads to tensors.
    private var input: RemadeValue?

    /// Nil where the input is kept, or nobody wants contributions.
    ///
    /// - Parameters:
    ///   - x: the map's input.
    ///   - shape: of the map's result.
    ///   - outputs: where the contributions go.
    ///   - products: adds those that contribute, given the gradient of the map's result and its input.
    init?(
        _ x: Tensor, dy shape: Shape, to outputs: [GraphNode?],
        _ products: @escaping (_ gradient: Matrix, _ input: Matrix, _ calls: inout [ProductCall]) -> Void
    ) {
        let outputs = outputs.compactMap { $0 }
        guard let source = x.node, let input = source.remake, !outputs.isEmpty else { return nil }
        self.source = source
        self.input = input
        super.init(shape: shape, backend: source.backend, inputs: outputs)
        self.products = { products($0.matrix, input.take().matrix, &$1) }
    }

    /// The walk comes by both: the map, which accepts the gradient, and its input.
    func waitForSource() {
        awaited += 1
        input?.expectReader()
    }

    override func flow() {
        super.flow()
        input = nil
    }
}
