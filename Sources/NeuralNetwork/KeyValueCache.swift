public import TensorCore

/// Keys and values of the tokens seen so far, a block of rows for each sequence.
///
/// Sequence s owns rows `s · capacity ..< (s + 1) · capacity` of every layer's tensor, so that sequences of unequal length share one
/// kernel call and none is padded. They are stored as the back end's products read them: half as wide where those round anyway.
public final class KeyValueCache: AttentionCache {
    /// Sequences.
    public let sequences: Int
    /// Tokens that each sequence can hold.
    public let capacity: Int
    /// Tokens held by each sequence.
    public private(set) var lengths: [Int]
    private var layers: [Tensor?]
    private var rows: Tensor?
    /// How single tokens go through all layers, once one has come.
    private var pass: SingleTokens?

    private enum SingleTokens {
        case together(any TokenPass, vocabulary: Int)
        case layerByLayer
    }

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
            let own = layer.backend.empty([sequences * capacity, layer.shape.columns], layer.dtype)
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
            let fresh = layer.backend.empty(layer.shape, layer.dtype)
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
        _ = stored(keysAndValues.matrix, layer: layer, on: keysAndValues.backend)
    }

    /// Stores keys and values of the newest tokens; all that the layer holds then.
    private func stored(_ keysAndValues: Matrix, layer: Int, on backend: any Backend) -> Matrix {
        if layers[layer] == nil {
            layers[layer] = backend.empty([sequences * capacity, keysAndValues.columns], backend.factorType)
        }
        let all = layers[layer]!.matrix
        backend.scatterRows(keysAndValues, indices: rows!, into: all)
        return all
    }

    /// Takes one new token of each of some sequences through the whole decoder; nil where they go through it layer by layer.
    ///
    /// A cache serves one generation, in which weights stay as they are: the way is made once.
    /// - Parameter angles: of each token's position, nil without rotary positions.
    /// - Returns: the logits behind the tokens `[sequences, vocabulary]`, and the indices of the largest, the first of equals.
    package func advance(
        _ x: Tensor, _ segments: AttentionSegments, angles: [Tensor]?, decoder: () -> DecoderWeights?
    ) -> (logits: Tensor, likeliest: [Int])? {
        let count = segments.count
        guard segments.queryCount == count, x.shape.rows == count, layers.allSatisfy({ $0 != nil }) else { return nil }
        if case .layerByLayer = pass { return nil }
        if pass == nil {
            guard let weights = decoder(), let way = x.backend.tokenPass(through: weights) else {
                pass = .layerByLayer
                return nil
            }
            pass = .together(way, vocabulary: weights.head.weight.shape.rows)
        }
        guard case .together(let way, let vocabulary) = pass, way.takes(sequences: count) else { return nil }
        let logits = x.backend.empty([count, vocabulary])
        let places = (0..<count).map {
            TokenPlace(
                firstKey: Int(segments.keyStarts[$0]), keys: Int(segments.keyCounts[$0]), angles: angles?[$0])
        }
        return (logits, way(x, caches: layers.map { $0! }, at: places, into: logits))
    }

    /// Stores the new keys and values and attends over all of them with the queries of some rows, or of all.
    public func attend(
        _ qkv: Matrix, queries: Tensor?, heads: HeadLayout, segments: AttentionSegments, layer: Int,
        on backend: any Backend, into y: Matrix
    ) {
        let (q, kv) = (heads.queryColumns, heads.keyValueColumns)
        let store = stored(qkv.columns(q..<q + 2 * kv), layer: layer, on: backend)
        var query = qkv.columns(0..<q)
        if let queries {
            let own = backend.empty([segments.queryCount, q]).matrix
            backend.gatherRows(query, indices: queries, into: own, accumulate: false)
            query = own
        }
        backend.attention(
            query: query, key: store.columns(0..<kv), value: store.columns(kv..<2 * kv),
            heads: heads, segments: segments, into: y, logSumExp: nil)
    }
}
