public import TensorCore

/// Keys and values of the tokens seen so far, a block of rows for each sequence.
///
/// Sequence s owns rows `s · capacity ..< (s + 1) · capacity` of every layer's tensor, so that sequences of unequal length share one
/// kernel call and none is padded.
public final class KeyValueCache {
    /// Sequences.
    public let sequences: Int
    /// Tokens that each sequence can hold.
    public let capacity: Int
    /// Tokens held by each sequence.
    public private(set) var lengths: [Int]
    private var layers: [Tensor?]
    private var rows: Tensor?

    /// An empty cache; layers are allocated when they are first written.
    public init(sequences: Int, capacity: Int, layers: Int) {
        self.sequences = sequences
        self.capacity = capacity
        lengths = Array(repeating: 0, count: sequences)
        self.layers = Array(repeating: nil, count: layers)
    }

    /// Makes room for new tokens and says which keys each sequence's queries will see.
    ///
    /// Call once before the layers run over a batch of `counts[s]` tokens of each sequence `ids[s]`, in that order.
    public func extend(_ ids: [Int], by counts: [Int], on backend: any Backend) -> AttentionSegments {
        var offsets: [Int32] = [0]
        var targets: [Int32] = []
        for (id, count) in zip(ids, counts) {
            precondition(
                lengths[id] + count <= capacity, "key-value cache: sequence \(id) is full at \(capacity) tokens")
            let start = id * capacity + lengths[id]
            targets += (start..<start + count).map { Int32($0) }
            lengths[id] += count
            offsets.append(offsets.last! + Int32(count))
        }
        rows = Tensor(targets, on: backend)
        return AttentionSegments(
            queryOffsets: offsets, keyStarts: ids.map { Int32($0 * capacity) },
            keyCounts: ids.map { Int32(lengths[$0]) },
            isCausal: true)
    }

    /// Begins every sequence with what the first sequence of another cache holds.
    public func begin(with other: KeyValueCache) {
        let length = other.lengths[0]
        precondition(lengths.allSatisfy { $0 == 0 } && length <= capacity, "key-value cache: it has begun already")
        for (index, layer) in other.layers.enumerated() {
            guard let layer else { continue }
            let own = layer.backend.empty([sequences * capacity, layer.shape.columns])
            for start in stride(from: 0, to: sequences * capacity, by: capacity) {
                layer.backend.copy(layer.rows(0..<length), into: own.rows(start..<start + length))
            }
            layers[index] = own
        }
        lengths = Array(repeating: length, count: sequences)
    }

    /// Forgets tokens beyond `length` of a sequence.
    public func truncate(_ id: Int, to length: Int) {
        precondition(length <= lengths[id], "key-value cache: cannot grow by truncation")
        lengths[id] = length
    }

    /// Makes sequence i continue from what sequence `sources[i]` holds, for beam search.
    public func reorder(_ sources: [Int]) {
        guard sources != Array(0..<sequences) else { return }
        for (index, layer) in layers.enumerated() {
            guard let layer else { continue }
            let fresh = layer.backend.empty(layer.shape)
            for (target, source) in sources.enumerated() where lengths[source] > 0 {
                let length = lengths[source]
                layer.backend.copy(
                    layer.rows(source * capacity..<source * capacity + length),
                    into: fresh.rows(target * capacity..<target * capacity + length))
            }
            layers[index] = fresh
        }
        lengths = sources.map { lengths[$0] }
    }

    /// Stores keys and values, `[tokens, 2 · keyValueColumns]`, of the tokens that the cache was last extended by.
    public func store(_ keysAndValues: Tensor, layer: Int) {
        if layers[layer] == nil {
            layers[layer] = keysAndValues.backend.empty([sequences * capacity, keysAndValues.shape.columns])
        }
        keysAndValues.backend.scatterRows(keysAndValues.matrix, indices: rows!, into: layers[layer]!.matrix)
    }

    /// Stores the new keys and values and attends over all of them.
    func attend(_ qkv: Tensor, heads: HeadLayout, segments: AttentionSegments, layer: Int) -> Tensor {
        let backend = qkv.backend
        let (q, kv) = (heads.queryColumns, heads.keyValueColumns)
        if layers[layer] == nil { layers[layer] = backend.empty([sequences * capacity, 2 * kv]) }
        let store = layers[layer]!.matrix
        backend.scatterRows(qkv.matrix.columns(q..<q + 2 * kv), indices: rows!, into: store)
        let y = backend.empty([qkv.shape.rows, q])
        backend.attention(
            query: qkv.matrix.columns(0..<q), key: store.columns(0..<kv), value: store.columns(kv..<2 * kv),
            heads: heads,
            segments: segments, into: y.matrix, logSumExp: nil)
        return y
    }
}
