public import TensorCore

/// What attention needs to know of a batch besides the hidden states.
public struct AttentionContext {
    /// Which rows belong together.
    public let segments: AttentionSegments
    /// Positions for rotary embeddings; nil in the vision tower.
    public let positions: RotaryPositions?
    /// Where keys and values of earlier tokens are, in generation.
    public let cache: (any AttentionCache)?
    /// Learned keys and values in front of every sequence, in training; in generation they are in the cache.
    public var prefix: (any VirtualTokens)?
    /// Whether only each segment's last row goes on after this block, whose keys and values are stored for all rows.
    public var endsWithLastRows = false

    /// A context for training, or for generation with a cache.
    public init(
        segments: AttentionSegments, positions: RotaryPositions? = nil, cache: (any AttentionCache)? = nil
    ) {
        self.segments = segments
        self.positions = positions
        self.cache = cache
    }
}

/// Multi-head and grouped-query attention. The only one: vision tower and decoder share it.
///
///     query heads      q0 q1 q2 q3 q4 q5
///     key-value heads    k0       k1          (queryHeads / keyValueHeads = 3: grouped queries, Ainslie et al. 2023)
public final class Attention: Module {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let heads: HeadLayout
    let rotary: RotaryEmbedding?
    let queryNorm: RMSNorm?
    let keyNorm: RMSNorm?
    let window: Int?

    /// - Parameters:
    ///   - rotary: nil in the vision tower.
    ///   - gain: scales the map back into the residual stream.
    ///   - normEpsilon: with a value, queries and keys are normalised a head (Qwen 3).
    ///   - window: tokens that a token sees at most, itself included; nil without limit.
    public init(
        hiddenSize: Int, heads: HeadLayout, hasInputBias: Bool, hasOutputBias: Bool, rotary: RotaryEmbedding?,
        normEpsilon: Float? = nil, window: Int? = nil, gain: Float = 1, _ initializer: Initializer
    ) {
        func map(_ inputs: Int, _ outputs: Int, _ hasBias: Bool, _ gain: Float = 1) -> Linear {
            Linear(inputs: inputs, outputs: outputs, hasBias: hasBias, gain: gain, initializer)
        }
        query = map(hiddenSize, heads.queryColumns, hasInputBias)
        key = map(hiddenSize, heads.keyValueColumns, hasInputBias)
        value = map(hiddenSize, heads.keyValueColumns, hasInputBias)
        output = map(heads.queryColumns, hiddenSize, hasOutputBias, gain)
        self.heads = heads
        self.rotary = rotary
        self.window = window
        queryNorm = normEpsilon.map { RMSNorm(columns: heads.width, epsilon: $0, initializer) }
        keyNorm = normEpsilon.map { RMSNorm(columns: heads.width, epsilon: $0, initializer) }
        initializer.makeAdjacent([query.weight, key.weight, value.weight])
        initializer.makeAdjacent([query.bias, key.bias, value.bias])
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        [
            "query": query, "key": key, "value": value, "output": output, "queryNorm": queryNorm, "keyNorm": keyNorm,
        ]
    }

    /// - Parameters:
    ///   - x: `[tokens, hidden]`.
    ///   - layer: this layer's index, for its place in the cache.
    ///   - residual: what the result is added to, `[tokens, hidden]`.
    /// - Returns: `[tokens, hidden]`.
    public func callAsFunction(
        _ x: Tensor, _ context: AttentionContext, layer: Int, addedTo residual: Tensor
    ) -> Tensor {
        output.added(to: residual, mixed(x, context, layer: layer))
    }

    /// Whether only products read the input.
    var takesFactors: Bool { query.takesFactors && key.takesFactors && value.takesFactors }

    /// Values weighted by attention, before the output map.
    private func mixed(_ x: Tensor, _ context: AttentionContext, layer: Int) -> Tensor {
        // Attention that multiplies bfloat16 rounds what it reads; caches, prefixes and windows want float32.
        let isNarrow =
            window == nil && context.cache == nil && context.prefix == nil && x.backend.attentionTakesFactors
        var qkv = projected(x, asFactor: isNarrow)
        if let rotary, let positions = context.positions {
            rotary(&qkv, columns: heads.queryColumns + heads.keyValueColumns, positions: positions)
        }
        var segments = context.segments
        segments.window = window
        guard let cache = context.cache else {
            if let prefix = context.prefix?.keysAndValues(layer: layer) {
                return attention(qkv, prefix: prefix, heads: heads, segments: segments)
            }
            return attention(qkv, heads: heads, segments: segments, asFactor: output.takesFactors)
        }
        if context.endsWithLastRows {
            return cache.attend(
                qkv, queries: Tensor(segments.lastRows, on: x.backend), heads: heads,
                segments: segments.withLastQueries, layer: layer, asFactor: output.takesFactors)
        }
        return cache.attend(
            qkv, heads: heads, segments: segments, layer: layer, asFactor: output.takesFactors)
    }

    /// Queries, keys and values side by side, `[tokens, queryColumns + 2 · keyValueColumns]`.
    private func projected(_ x: Tensor, asFactor: Bool) -> Tensor {
        guard let queryNorm, let keyNorm else { return Linear.together([query, key, value], x, asFactor: asFactor) }
        func normalized(_ map: Linear, _ norm: RMSNorm) -> Tensor {
            let y = map(x)
            return norm(y.reshaped([y.count / heads.width, heads.width])).reshaped([x.shape.rows, map.outputs])
        }
        return joinedColumns([normalized(query, queryNorm), normalized(key, keyNorm), value(x)])
    }
}
