/// Weights in a form of their own, such as 4-bit codes, that become a tensor when they are used.
public protocol WeightSource: AnyObject {
    /// Extents of the tensor.
    var shape: Shape { get }
    /// Where its tensors live.
    var backend: any Backend { get }
    /// Writes the values, into float32 or the back end's `factorType`.
    func write(into tensor: Tensor)
    /// The weights as codes that products may read; nil where they are something else.
    var coded: CodedMatrix? { get }
}

extension WeightSource {
    /// No codes.
    public var coded: CodedMatrix? { nil }

    /// A fresh copy, of float32 unless it is for products alone.
    public func makeTensor(_ dtype: DType = .float32) -> Tensor {
        let result = backend.empty(shape, dtype)
        write(into: result)
        return result
    }
}

/// Weights of several maps of one input, one above the other: what one product serves.
final class JoinedWeights: WeightSource {
    let shape: Shape
    let backend: any Backend
    private let sources: [any WeightSource]

    /// - Parameter sources: `[outputs, inputs]` each, with equal inputs.
    init(_ sources: [any WeightSource]) {
        self.sources = sources
        backend = sources[0].backend
        shape = [sources.reduce(0) { $0 + $1.shape.rows }, sources[0].shape.columns]
    }

    /// Codes where all are.
    var coded: CodedMatrix? {
        let parts = sources.compactMap { $0.coded?.parts }
        return parts.count == sources.count ? CodedMatrix(parts.flatMap { $0 }, columns: shape.columns) : nil
    }

    /// Each into its rows.
    func write(into tensor: Tensor) {
        var start = 0
        for source in sources {
            source.write(into: tensor.rows(start..<start + source.shape.rows))
            start += source.shape.rows
        }
    }
}

/// A tensor of a model that can be trained: its value, its gradient, and whether anybody wants one.
public final class Parameter {
    /// The weights. Training replaces the contents, never the memory, so fused products and saved views stay valid. An update that is
    /// under way is waited for here, and nowhere else.
    public var value: Tensor {
        late.wait()
        return stored ?? source!.makeTensor()
    }
    /// Where the weights come from when they are kept in another form; then `value` is a copy, made anew each time.
    public private(set) var source: (any WeightSource)?
    /// Whether gradients are computed. A frozen parameter costs no gradient work. Weights that were kept in another form become a
    /// tensor when they are to be trained.
    public var isTrainable: Bool {
        didSet { if isTrainable, source != nil { replaceValue(value) } }
    }
    /// Whether weight decay applies: true for matrices, false for norms, biases and embeddings of positions.
    public package(set) var decays: Bool
    /// The sum of gradients since `clearGradient()`, nil when none has arrived.
    public var gradient: Tensor? { arriving.gradient }
    /// Called when the last contribution of a backward pass has arrived: what fused optimizers (LOMO) hook into.
    public var onGradientComplete: ((Parameter) -> Void)?

    /// The parameter whose weights stood behind these in memory when the model was made, so that one product serves both.
    package weak var next: Parameter?

    private var stored: Tensor?
    private let late = LateValue()
    /// Where gradients arrive outside of lanes.
    let arriving = ArrivingGradient()

    /// A parameter over `value`.
    public init(_ value: Tensor, decays: Bool, isTrainable: Bool = true) {
        stored = value.detached
        shape = value.shape
        self.decays = decays
        self.isTrainable = isTrainable
    }

    /// Number of elements.
    public var count: Int { shape.count }

    /// Extents.
    public let shape: Shape

    /// The value as an operand: with a graph node while gradients are recorded and the parameter is trainable.
    public var tensor: Tensor {
        guard isTrainable else { return value }
        guard GradientRecording.isEnabled else {
            GradientRecording.uses?.note(currentLeaf)
            return value
        }
        var operand = value
        operand.node = currentLeaf
        return operand
    }

    /// The leaf of the graph being built, which is the same for all uses while anything refers to it.
    private var currentLeaf: GraphNode {
        let arriving = GradientLane.current?.gradient(of: self) ?? arriving
        if let leaf = arriving.leaf { return leaf }
        let fresh = Leaf(self, arriving)
        arriving.leaf = fresh
        return fresh
    }

    /// Forgets the gradient but keeps its memory for the next step.
    public func clearGradient() { arriving.isThere = false }

    /// Gives the gradient's memory back.
    public func dropGradient() {
        arriving.isThere = false
        arriving.memory = nil
    }

    /// The next value is the result of a slice of an update that reads the gradient.
    package func expect(_ update: any PendingUpdate, slice: Int, reading gradient: Tensor) {
        late.arrive(with: update, slice: slice, reading: gradient)
    }

    /// Waits for an update that is under way, and lets go of it.
    package func settle() { late.wait() }

    /// Exchanges the weights for another tensor of the same shape: loading, quantising, merging.
    public func replaceValue(_ newValue: Tensor) {
        precondition(newValue.shape == shape, "a parameter of shape \(shape) cannot take \(newValue.shape)")
        late.wait()
        stored = newValue.detached
        source = nil
    }

    /// Keeps the weights in another form and frees them here. Only a frozen parameter can be.
    public func keep(as source: any WeightSource) {
        precondition(!isTrainable, "a trainable parameter keeps its weights")
        late.wait()
        self.source = source
        stored = nil
    }

    /// Lets a kernel write the next contribution to gradients of values whose rows follow each other: parameters that have none
    /// yet get memory in which these do, too, and are written as one from then on; others one by one.
    ///
    /// - Parameters:
    ///   - nodes: where the gradients flow to, nil where nobody wants one.
    ///   - rows: how many rows each value has.
    ///   - write: receives the rows, counted over all of the values, their gradient, and whether to add to it.
    static func accumulate(
        _ nodes: ArraySlice<GraphNode?>, rows: ArraySlice<Int>, _ write: (Range<Int>, Tensor, Bool) -> Void
    ) {
        if nodes.count > 1, let (joined, accumulates) = joinedGradient(nodes, rows: rows) {
            write(0..<joined.shape[0], joined, accumulates)
            for node in nodes { (node as? Leaf)?.arriving.isThere = true }
            return
        }
        var start = 0
        for (node, count) in zip(nodes, rows) {
            node?.accumulate { write(start..<start + count, $0, $1) }
            start += count
        }
    }

    /// The gradients' memory as one tensor, made where none has any, and whether there is something to add to; nil where it does
    /// not lie together.
    private static func joinedGradient(_ nodes: ArraySlice<GraphNode?>, rows: ArraySlice<Int>) -> (Tensor, Bool)? {
        guard let leaf = nodes.first as? Leaf else { return nil }
        let first = leaf.arriving
        let isNew = first.memory == nil
        for node in nodes {
            guard let arriving = (node as? Leaf)?.arriving, (arriving.memory == nil) == isNew,
                arriving.isThere == first.isThere
            else { return nil }
        }
        guard isNew else {
            var joined = first.memory
            for node in nodes.dropFirst() {
                guard let next = (node as? Leaf)?.arriving.memory else { return nil }
                joined = joined?.joined(with: next)
            }
            return joined.map { ($0, first.isThere) }
        }
        var dimensions = leaf.shape.dimensions
        dimensions[0] = rows.reduce(0, +)
        let all = leaf.backend.empty(Shape(dimensions))
        var offset = 0
        for node in nodes {
            guard let leaf = node as? Leaf else { return nil }
            leaf.arriving.memory = Tensor(shape: leaf.shape, storage: all.storage, byteOffset: offset)
            offset += DType.float32.byteCount(of: leaf.shape.count)
        }
        return (all, false)
    }

    /// The graph's end at a parameter, one for all uses of a graph: it is reached when all of them have contributed.
    private final class Leaf: GraphNode {
        let parameter: Parameter
        let arriving: ArrivingGradient

        init(_ parameter: Parameter, _ arriving: ArrivingGradient) {
            self.parameter = parameter
            self.arriving = arriving
            super.init(shape: parameter.shape, backend: parameter.value.backend, inputs: [], pullback: nil)
        }

        override var isParameter: Bool { true }

        override func accumulate(_ write: (Tensor, Bool) -> Void) {
            let memory = arriving.memory ?? backend.empty(shape)
            arriving.memory = memory
            write(memory, arriving.isThere)
            arriving.isThere = true
        }

        override func accept(_ contribution: Tensor) {
            accumulate { destination, accumulates in
                if accumulates {
                    destination.backend.add(destination, contribution, into: destination)
                } else {
                    destination.backend.copy(contribution, into: destination)
                }
            }
        }

        override func flow() { parameter.onGradientComplete?(parameter) }
    }
}

/// Whether operands of trainable parameters start a graph.
public enum GradientRecording {
    @TaskLocal package static var isEnabled = true
    /// Whether values stay for the gradients that need them, even where they could be computed again: a graph that lives for one
    /// block has no use for the memory.
    @TaskLocal package static var keepsValues = false
    /// Whether an activation function keeps the way to its argument, a product, instead of the argument: a part of `recomputed` that
    /// costs less and saves less.
    @TaskLocal static var repeatsMaps = false
    /// Where trainable parameters note that they were used without a graph, inside `recomputed`.
    @TaskLocal static var uses: ParameterUses?

    /// Runs `body` without a graph: inference, frozen towers, the first pass of activation checkpointing.
    public static func disabled<Result>(_ body: () throws -> Result) rethrows -> Result {
        try $isEnabled.withValue(false, operation: body)
    }

    /// Runs `body` with activation functions that keep the way to their arguments.
    package static func repeatingMaps<Result>(_ body: () throws -> Result) rethrows -> Result {
        try $repeatsMaps.withValue(true, operation: body)
    }

    /// Runs `body` with a graph again, inside `disabled`.
    public static func enabled<Result>(_ body: () throws -> Result) rethrows -> Result {
        try $isEnabled.withValue(true, operation: body)
    }
}

/// The trainable parameters that a computation without a graph used, in the order of first use.
///
/// Unchecked because a task-local value must be Sendable: it lives for one call of `recomputed` and never leaves its task.
final class ParameterUses: @unchecked Sendable {
    private(set) var leaves: [GraphNode] = []

    func note(_ leaf: GraphNode) {
        if !leaves.contains(where: { $0 === leaf }) { leaves.append(leaf) }
    }
}
