/// A value that a gradient needs later: kept, or computed again when it is cheap (`GraphNode.remake`).
struct KeptValue {
    private let compute: () -> Tensor

    /// Keeps `value`, or the way to it.
    init(_ value: Tensor) {
        let detached = value.detached
        compute = value.node?.remake ?? { detached }
    }

    /// The value; a copy of its own where it was not kept.
    var tensor: Tensor { compute() }
}
