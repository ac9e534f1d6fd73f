/// One result in the graph of a differentiable computation: who its inputs are, and how its gradient flows to them.
///
/// Nodes hold no values. What a pullback needs it captures, and it is dropped as soon as it has run, so activations are
/// freed while the walk goes on.
open class GraphNode {
    /// The nodes that gradients flow to.
    let inputs: [GraphNode]
    /// Shape of the value and of its gradient.
    public let shape: Shape
    /// Where gradients are allocated.
    public let backend: any Backend
    /// How the gradient is stored: float32, or narrower where only products and their like read it.
    var gradientType: DType = .float32

    /// Products that send the gradient on, in front of the pullback: what shares a run of the threads with those of another node.
    var products: ((Tensor, inout [ProductCall]) -> Void)?

    /// Sends the gradient on to the inputs. The argument is owned by the pullback, which may write over it when
    /// `Tensor.isUniquelyOwned` says that nobody else looks at it.
    var pullback: ((inout Tensor) -> Void)?

    /// Computes the node's value again from what its gradient keeps anyway, bit for bit; nil where that is not cheap. What needs
    /// the value for a gradient keeps this instead, and the value's memory goes when the next layer has read it.
    var remake: RemadeValue?

    /// Computes the value of a map again, a whole product, where `GradientRecording.repeatsMaps` asks for it: an activation function
    /// keeps this instead of its argument.
    var again: (() -> Tensor)?

    /// A contributor that holds memory until it has contributed and sends as much whenever it runs: its turn comes in front of the last
    /// of the others, whose rows are then added to what it has written, where both would add to zeros otherwise.
    weak var lastContributor: GraphNode?

    /// What has arrived so far.
    var gradient: Tensor?

    /// Results of the walk under way that have not sent their contribution yet.
    var awaited = 0

    init(shape: Shape, backend: any Backend, inputs: [GraphNode], pullback: ((inout Tensor) -> Void)? = nil) {
        self.shape = shape
        self.backend = backend
        self.inputs = inputs
        self.pullback = pullback
    }

    /// Lets a kernel write the next contribution: over fresh memory (`accumulate` false) or on top of what is there.
    public func accumulate(_ write: (_ destination: Tensor, _ accumulate: Bool) -> Void) {
        guard gradient != nil else {
            let fresh = backend.empty(shape, gradientType)
            write(fresh, false)
            gradient = fresh
            return
        }
        makeGradientUnique()
        write(gradient!, true)
    }

    /// Takes a finished contribution. Without one before it, the memory itself is kept, not copied.
    public func accept(_ contribution: Tensor) {
        guard gradient != nil else {
            gradient = contribution.detachedView(shape)
            return
        }
        makeGradientUnique()
        backend.add(gradient!, contribution, into: gradient!)
    }

    /// Whether this is a parameter, the end of a graph that a recomputed block's own walk shares with the walk around it.
    var isParameter: Bool { false }

    /// Adds the products that send the gradient on, which has arrived. They are run before anything else happens.
    func takeProducts(into calls: inout [ProductCall]) {
        guard let products, let gradient else { return }
        self.products = nil
        products(gradient, &calls)
    }

    /// Called once by the walk, when every contribution has arrived and its products have been run.
    func flow() {
        guard var arrived = gradient else { return }
        gradient = nil
        let run = pullback
        pullback = nil
        products = nil
        remake = nil
        again = nil
        run?(&arrived)
    }

    /// Residual sums hand one gradient to two nodes; whoever adds to it first gets a copy of its own.
    private func makeGradientUnique() {
        guard gradient!.isUniquelyOwned() else {
            let copy = backend.empty(shape, gradient!.dtype)
            backend.copy(gradient!, into: copy)
            gradient = copy
            return
        }
    }
}

extension Tensor {
    /// Whether no other tensor shares this memory, so that it may be written over.
    public mutating func isUniquelyOwned() -> Bool {
        isKnownUniquelyReferenced(&storage)
    }

    /// This value with a node that passes gradients to `inputs`; unchanged when there are none.
    public func recorded(from inputs: [GraphNode?], _ pullback: @escaping (inout Tensor) -> Void) -> Tensor {
        recorded(from: inputs, products: nil, pullback)
    }

    /// The same with products in front of the pullback.
    func recorded(
        from inputs: [GraphNode?], products: ((Tensor, inout [ProductCall]) -> Void)?,
        _ pullback: @escaping (inout Tensor) -> Void
    ) -> Tensor {
        let wanted = inputs.compactMap { $0 }
        guard !wanted.isEmpty else { return self }
        var result = self
        let node = GraphNode(shape: shape, backend: backend, inputs: wanted, pullback: pullback)
        node.products = products
        result.node = node
        return result
    }

    /// This value with a gradient of its own dtype: it was stored narrow because only products read it, and its gradient comes
    /// from one of them.
    func withNarrowGradient() -> Tensor {
        node?.gradientType = dtype
        return self
    }

    /// This value with a way to compute it again for gradients, where it is part of a graph.
    func remade(by value: RemadeValue) -> Tensor {
        if !GradientRecording.keepsValues { node?.remake = value }
        return self
    }

    /// This value with a way to compute it again by a product, where that is asked for.
    func repeated(by compute: @autoclosure () -> (() -> Tensor)) -> Tensor {
        if let node, GradientRecording.repeatsMaps, !GradientRecording.keepsValues { node.again = compute() }
        return self
    }

    /// Walks the graph from this value back to the parameters and adds to their gradients.
    ///
    /// - Parameter seed: gradient of the objective with respect to this value; ones when nil.
    public func backward(seed: Tensor? = nil) {
        guard let node else { return }
        if let seed {
            node.accept(seed)
        } else {
            node.accumulate { destination, accumulates in
                precondition(!accumulates, "backward: this value has received a gradient already")
                backend.fill(destination, 1)
            }
        }
        walk(from: node, endsAtParameters: true)
    }

    /// `backward` inside another walk, which announces the parameters' completion itself: it alone knows of their other uses.
    func backwardInside(seed: Tensor) {
        guard let node else { return }
        node.accept(seed)
        walk(from: node, endsAtParameters: false)
    }

    private func walk(from node: GraphNode, endsAtParameters: Bool) {
        let readers = node.countConsumers(includingParameters: endsAtParameters)
        var ready = [node]
        var waiting: [GraphNode] = []
        var calls: [ProductCall] = []
        while let next = ready.takeNext() {
            // Nothing but products, which share the run of the next node's; a norm's parameters come between.
            if next is InputReader || (next.isParameter && !waiting.isEmpty), !ready.isEmpty {
                waiting.append(next)
                continue
            }
            waiting.append(next)
            for node in waiting { node.takeProducts(into: &calls) }
            if !calls.isEmpty { next.backend.products(calls) }
            calls.removeAll(keepingCapacity: true)
            while let done = waiting.popLast() {
                done.flow()
                for input in done.inputs where endsAtParameters || !input.isParameter {
                    input.awaited -= 1
                    if input.awaited == 0 { ready.append(input) }
                }
                // Last, and so first: what they read is in memory until then.
                for reader in readers[ObjectIdentifier(done)] ?? [] {
                    reader.awaited -= 1
                    if reader.awaited == 0 { ready.append(reader) }
                }
            }
        }
    }
}

extension [GraphNode] {
    /// Takes the last node, or the `lastContributor` of an input that only waits for these two.
    fileprivate mutating func takeNext() -> GraphNode? {
        guard let next = popLast() else { return nil }
        for input in next.inputs where input.awaited == 2 {
            guard let place = firstIndex(where: { $0 === input.lastContributor }) else { continue }
            append(next)
            return remove(at: place)
        }
        return next
    }
}

extension GraphNode {
    /// Notes in every node that this one depends on how many results will send it a contribution. A node flows when all
    /// have, so a parameter's gradient is complete (and may be used up and freed) as early as possible.
    ///
    /// - Returns: those that wait for a node they send nothing from, by that node.
    fileprivate func countConsumers(includingParameters: Bool) -> [ObjectIdentifier: [InputReader]] {
        var seen: Set<ObjectIdentifier> = [ObjectIdentifier(self)]
        var found: [GraphNode] = [self]
        var readers: [ObjectIdentifier: [InputReader]] = [:]
        while let next = found.popLast() {
            for input in next.inputs where includingParameters || !input.isParameter {
                if seen.insert(ObjectIdentifier(input)).inserted {
                    input.awaited = 0
                    found.append(input)
                    if let reader = input as? InputReader {
                        readers[ObjectIdentifier(reader.source), default: []].append(reader)
                    }
                }
                input.awaited += 1
            }
        }
        for reader in readers.values.joined() { reader.waitForSource() }
        return readers
    }
}
