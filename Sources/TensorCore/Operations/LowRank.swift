/// A low-rank product beside a map, scale · B A (LoRA, Hu et al. 2022).
public struct LowRankProduct {
    /// `[rank, inputs]`.
    public let a: Tensor
    /// `[outputs of the map, rank]`.
    public let b: Tensor
    /// The map's columns among the results that stand side by side.
    public let columns: Range<Int>
    /// Factor on B A.
    public let scale: Float

    /// A product beside the map of these columns.
    public init(a: Tensor, b: Tensor, columns: Range<Int>, scale: Float) {
        precondition(
            b.shape == [columns.count, a.shape.rows],
            "low rank: A \(a.shape) and B \(b.shape) for \(columns.count) columns")
        (self.a, self.b, self.columns, self.scale) = (a, b, columns, scale)
    }

    /// The same without graph nodes.
    var detached: LowRankProduct {
        LowRankProduct(a: a.detached, b: b.detached, columns: columns, scale: scale)
    }
}

/// Low-rank products that read the same input: those of queries, keys and values, or of gate and up.
public struct LowRankGroup {
    /// `[tokens, inputs]`, float32 or of the back end's `factorType`.
    public let x: Tensor
    /// Products of distinct factors.
    public let products: [LowRankProduct]

    /// Products of x.
    public init(_ x: Tensor, _ products: [LowRankProduct]) {
        precondition(
            products.allSatisfy { $0.a.shape.columns == x.shape.columns }, "low rank: factors do not fit \(x.shape)")
        (self.x, self.products) = (x, products)
    }
}

/// y with scale · (x Aᵀ) Bᵀ of each product added to its columns; in place unless somebody else looks at the memory.
///
/// With h = x Aᵀ: dB = scale · dyᵀ h, dh = scale · dy B, dA = dhᵀ x, dx = dh A; y's own gradient passes unchanged.
public func addLowRank(to y: inout Tensor, _ group: LowRankGroup) {
    let backend = y.backend
    let source = y.node
    y.node = nil
    if !y.isUniquelyOwned() {
        let copy = backend.empty(y.shape, y.dtype)
        backend.copy(y, into: copy)
        y = copy
    }
    let addition = LowRankAddition(group)
    addition.add(to: y)
    y = y.recorded(from: [source] + addition.nodes) { gradient in
        addition.sendGradients(of: gradient)
        source?.accept(gradient)
    }.withNarrowGradient()
}

/// What a group's products do in a node: a map's own, or one of theirs.
struct LowRankAddition {
    private let products: [LowRankProduct]
    private let input: Tensor
    private let hidden: Tensor
    private let source: GraphNode?
    private let factors: [(a: GraphNode?, b: GraphNode?)]

    init(_ group: LowRankGroup) {
        // Values only: a graph node in a closure would keep what it leads to alive.
        products = group.products.map(\.detached)
        input = group.x.detached
        source = group.x.node
        factors = group.products.map { ($0.a.node, $0.b.node) }
        hidden = input.backend.empty([input.shape.rows, products.reduce(0) { $0 + $1.a.shape.rows }])
    }

    /// Where gradients flow to.
    var nodes: [GraphNode?] { [source] + factors.flatMap { [$0.a, $0.b] } }

    /// Adds the products to the results of maps.
    func add(to y: Tensor) {
        input.backend.lowRank(input.matrix, products, hidden: hidden, into: y.matrix)
    }

    /// Contributes to the gradients of the input and the factors, given the results'.
    func sendGradients(of gradient: Tensor) {
        open(factors[...], []) { destinations in
            withDestination(of: source) { x in
                guard x != nil || destinations.contains(where: { $0.a != nil || $0.b != nil }) else { return }
                input.backend.lowRankGradient(
                    input.matrix, products, hidden: hidden, gradient: gradient.matrix, into: destinations,
                    xGradient: x.map { ($0.0.matrix, accumulate: $0.accumulate) })
            }
        }
    }

    /// Opens the gradients of all factors at once.
    private func open(
        _ rest: ArraySlice<(a: GraphNode?, b: GraphNode?)>, _ found: [LowRankDestination],
        _ body: ([LowRankDestination]) -> Void
    ) {
        guard let next = rest.first else { return body(found) }
        withDestination(of: next.a) { a in
            withDestination(of: next.b) { b in
                open(rest.dropFirst(), found + [LowRankDestination(a: a, b: b)], body)
            }
        }
    }
}

/// Where a node's next contribution goes; nil for no node.
private func withDestination(of node: GraphNode?, _ body: ((Tensor, accumulate: Bool)?) -> Void) {
    guard let node else { return body(nil) }
    node.accumulate { body(($0, accumulate: $1)) }
}
