public import TensorCore

/// Learned tokens in front of every sequence of a decoder: rows of the embedding (prompt tuning), or keys and values of each
/// layer (prefix tuning).
public protocol VirtualTokens: Module, AnyObject {
    /// Tokens in front of a sequence.
    var count: Int { get }
    /// Rows in front of the embedded tokens, `[count, hidden]`; nil where layers get keys and values instead.
    func embeddings() -> Tensor?
    /// Keys and values in front of a layer's own, `[count, 2 · keyValueColumns]`; nil where the rows run through the layers.
    func keysAndValues(layer: Int) -> Tensor?
}

/// A decoder as methods with virtual tokens see it.
public protocol VirtualTokenSite: TuningSite {
    /// The tokens in front of every sequence, nil normally.
    var virtualTokens: (any VirtualTokens)? { get set }
    /// Columns of a token.
    var hiddenSize: Int { get }
    /// Blocks.
    var layerCount: Int { get }
    /// How heads divide queries, keys and values.
    var heads: HeadLayout { get }
    /// `[vocabulary, hidden]`.
    var embedding: Parameter { get }
}

extension RotaryPositions {
    /// Positions behind `count` tokens more.
    public func shifted(by count: Int) -> RotaryPositions {
        RotaryPositions(tensor.integers.map { $0 + Int32(count) }, on: tensor.backend)
    }
}

extension VirtualTokens {
    /// A packed batch with the tokens' rows in front of each sequence.
    ///
    /// - Returns: the rows, where each sequence now begins, the positions, and the places of the rows that were there.
    public func inserted(
        into x: Tensor, offsets: [Int32], positions: RotaryPositions?
    ) -> (x: Tensor, offsets: [Int32], positions: RotaryPositions?, places: Tensor)? {
        guard let rows = embeddings() else { return nil }
        let count = Int32(count)
        var sources: [Int32] = []
        var places: [Int32] = []
        var begins: [Int32] = [0]
        var numbers: [Int32] = []
        let given = positions?.tensor.integers ?? []
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            sources += 0..<count
            numbers += 0..<count
            for row in start..<end {
                places.append(Int32(sources.count))
                sources.append(count + row)
                if !given.isEmpty { numbers.append(given[Int(row)] + count) }
            }
            begins.append(Int32(sources.count))
        }
        let backend = x.backend
        return (
            gatherRows(joinedRows(rows, x), indices: Tensor(sources, on: backend)), begins,
            positions.map { _ in RotaryPositions(numbers, on: backend) }, Tensor(places, on: backend)
        )
    }
}
