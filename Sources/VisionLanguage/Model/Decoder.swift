public import NeuralNetwork
public import TensorCore

/// A causal language model: embedding, blocks, norm, head (Touvron et al. 2023).
public final class Decoder: Module, VirtualTokenSite {
    /// The decoder's shape.
    public private(set) var configuration: DecoderConfiguration
    /// `[vocabulary, hidden]`.
    public private(set) var embedding: Parameter
    /// `[positions, hidden]`, learned; nil with rotary positions.
    private let positions: Parameter?
    private let rotary: RotaryEmbedding?
    private let blocks: [any DecoderBlock]
    private let norm: any Layer
    private var head: Linear?
    /// Whether blocks are computed again in the backward pass instead of kept.
    public var recomputesActivations = false
    /// Learned tokens in front of every sequence, nil normally.
    public var virtualTokens: (any VirtualTokens)?

    /// A new decoder.
    public init(_ configuration: DecoderConfiguration, _ initializer: Initializer) {
        self.configuration = configuration
        let hidden = configuration.hiddenSize
        embedding = initializer.normal([configuration.vocabularySize, hidden], deviation: 0.02)
        positions =
            configuration.hasLearnedPositions
            ? initializer.normal([configuration.maximumPositions, hidden], deviation: 0.02, decays: false) : nil
        let rotary: RotaryEmbedding? =
            configuration.hasLearnedPositions
            ? nil
            : RotaryEmbedding(
                headWidth: configuration.headWidth, theta: configuration.ropeTheta, scaling: configuration.ropeScaling,
                backend: initializer.backend)
        self.rotary = rotary
        blocks = (0..<configuration.layers).map { Self.block(configuration, layer: $0, rotary, initializer) }
        norm =
            configuration.norm == .layer
            ? Self.layerNorm(configuration, initializer) : Self.rmsNorm(configuration, initializer)
        head =
            configuration.tiesWordEmbeddings
            ? nil : Linear(inputs: hidden, outputs: configuration.vocabularySize, hasBias: false, initializer)
    }

    private static func rmsNorm(_ configuration: DecoderConfiguration, _ initializer: Initializer) -> RMSNorm {
        RMSNorm(
            columns: configuration.hiddenSize, epsilon: configuration.normEpsilon,
            addsOne: configuration.norm == .rootMeanSquarePlusOne, initializer)
    }

    private static func layerNorm(_ configuration: DecoderConfiguration, _ initializer: Initializer) -> LayerNorm {
        LayerNorm(columns: configuration.hiddenSize, epsilon: configuration.normEpsilon, initializer)
    }

    private static func block(
        _ configuration: DecoderConfiguration, layer: Int, _ rotary: RotaryEmbedding?, _ initializer: Initializer
    ) -> any DecoderBlock {
        // Residual branches start smaller in deep decoders, so that the sum over blocks keeps its size (Radford et al. 2019).
        let gain = 1 / Float(2 * max(1, configuration.layers)).squareRoot()
        let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
        func attention() -> Attention {
            Attention(
                hiddenSize: hidden, heads: configuration.heads, hasInputBias: configuration.hasQueryKeyValueBias,
                hasOutputBias: configuration.hasOutputBias, rotary: rotary,
                normEpsilon: configuration.hasQueryKeyNorm ? configuration.normEpsilon : nil,
                window: configuration.slidingWindow?.tokens(at: layer), gain: gain, initializer)
        }
        func gated() -> GatedMLP {
            GatedMLP(
                hiddenSize: hidden, intermediateSize: inner, activation: configuration.activation,
                hasBias: configuration.hasFeedForwardBias, gain: gain, initializer)
        }
        func plain() -> MLP {
            MLP(
                hiddenSize: hidden, intermediateSize: inner, activation: configuration.activation, gain: gain,
                initializer)
        }
        func rms() -> RMSNorm { rmsNorm(configuration, initializer) }
        func normed() -> LayerNorm { layerNorm(configuration, initializer) }
        return switch (configuration.norm == .layer, configuration.hasGate) {
        case (false, true):
            TransformerBlock(norm1: rms(), attention: attention(), norm2: rms(), feedForward: gated())
        case (false, false):
            TransformerBlock(norm1: rms(), attention: attention(), norm2: rms(), feedForward: plain())
        case (true, true):
            TransformerBlock(norm1: normed(), attention: attention(), norm2: normed(), feedForward: gated())
        case (true, false):
            TransformerBlock(norm1: normed(), attention: attention(), norm2: normed(), feedForward: plain())
        }
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        var layers = ParameterTree()
        for (index, block) in blocks.enumerated() { layers.append(block.parameters, under: String(index)) }
        let tree: ParameterTree = [
            "embedding": embedding, "positions": positions, "layers": layers, "norm": norm, "head": head,
        ]
        return tree.with(self)
    }

    /// Columns of a token.
    public var hiddenSize: Int { configuration.hiddenSize }
    /// Blocks.
    public var layerCount: Int { blocks.count }
    /// How heads divide queries, keys and values.
    public var heads: HeadLayout { configuration.heads }

    /// The output head's weight, `[vocabulary, hidden]`.
    public var headWeight: Tensor { head?.weight.tensor ?? embedding.tensor }

    /// Token embeddings with visual tokens in their places, `[tokens, hidden]`; ids are negative at the places.
    public func embedded(_ ids: [Int32], features: Tensor?, rows: [Int32]) -> Tensor {
        let backend = embedding.value.backend
        let places = features == nil ? nil : Tensor(rows, on: backend)
        let padding = configuration.paddingTokenID
        guard configuration.scalesEmbeddings else {
            return TensorCore.embedded(
                embedding.tensor, ids: Tensor(ids, on: backend), features: features, rows: places, paddingID: padding)
        }
        let text = TensorCore.embedded(
            embedding.tensor, ids: Tensor(ids, on: backend), features: nil, rows: nil, paddingID: padding)
        let words = scaled(text, by: Float(configuration.hiddenSize).squareRoot())
        guard let features else { return words }
        // Visual tokens stand among them as they are.
        let order = ids.enumerated().map { $1 < 0 ? -1 : Int32($0) }
        return TensorCore.embedded(words, ids: Tensor(order, on: backend), features: features, rows: places)
    }

    /// Hidden states after the final norm; of each segment's last token alone where the context ends with last rows, which takes a cache.
    ///
    /// - Parameters:
    ///   - x: embedded tokens, `[tokens, hidden]`.
    ///   - repeating: how many blocks, from the first on, keep the way to their activation function's argument instead of the argument.
    ///   - captured: receives every block's input and the result, for inspection.
    public func callAsFunction(
        _ x: Tensor, _ context: AttentionContext, repeating: Int = 0, captured: ((Int, Tensor) -> Void)? = nil
    ) -> Tensor {
        guard let virtualTokens else { return states(x, context, repeating: repeating, captured: captured) }
        let shifted = context.positions?.shifted(by: virtualTokens.count)
        if context.cache == nil,
            let longer = virtualTokens.inserted(
                into: x, offsets: context.segments.queryOffsets, positions: context.positions)
        {
            let all = AttentionContext(
                segments: AttentionSegments(
                    offsets: longer.offsets, isCausal: context.segments.isCausal,
                    prefixCounts: context.segments.prefixCounts.map { $0.map { $0 + Int32(virtualTokens.count) } }),
                positions: longer.positions)
            return gatherRows(
                states(longer.x, all, repeating: repeating, captured: captured), indices: longer.places)
        }
        var behind = AttentionContext(segments: context.segments, positions: shifted, cache: context.cache)
        behind.prefix = virtualTokens
        behind.endsWithLastRows = context.endsWithLastRows
        return states(x, behind, repeating: repeating, captured: captured)
    }

    /// Writes the virtual tokens of every sequence into an empty cache.
    public func prime(_ cache: KeyValueCache) {
        guard let virtualTokens else { return }
        let backend = embedding.value.backend
        let count = virtualTokens.count
        let repeated = (0..<cache.sequences).flatMap { _ in (0..<Int32(count)) }
        let rows = Tensor(repeated, on: backend)
        let segments = cache.extend(
            Array(0..<cache.sequences), by: Array(repeating: count, count: cache.sequences), on: backend)
        if let embeddings = virtualTokens.embeddings() {
            let context = AttentionContext(
                segments: segments, positions: RotaryPositions(repeated, on: backend), cache: cache)
            _ = states(gatherRows(embeddings, indices: rows), context, repeating: 0, captured: nil)
        } else {
            for layer in blocks.indices {
                guard let own = virtualTokens.keysAndValues(layer: layer) else { continue }
                cache.store(gatherRows(own, indices: rows), layer: layer)
            }
        }
    }

    private func states(
        _ x: Tensor, _ context: AttentionContext, repeating: Int, captured: ((Int, Tensor) -> Void)?
    ) -> Tensor {
        var h = x
        if let positions, let given = context.positions {
            // Nothing is read beyond the table; longer texts are refused before they come here.
            let last = Int32(configuration.maximumPositions - 1)
            let indices =
                given.count - 1 > last
                ? Tensor(given.tensor.integers.map { min($0, last) }, on: x.backend) : given.tensor
            h = h + gatherRows(positions.tensor, indices: indices)
        }
        for (index, block) in blocks.enumerated() {
            captured?(index, h)
            var context = context
            context.endsWithLastRows = context.endsWithLastRows && index == blocks.count - 1
            if recomputesActivations, context.cache == nil {
                h = recomputed(h) { block($0, context, layer: index) }
            } else if index < repeating {
                h = GradientRecording.repeatingMaps { block(h, context, layer: index) }
            } else {
                h = block(h, context, layer: index)
            }
        }
        h = norm(h)
        captured?(blocks.count, h)
        return h
    }

    /// One new token of each of some sequences through everything at once, where the back end has a way for that; nil elsewhere.
    ///
    /// - Returns: the logits behind the tokens, `[sequences, vocabulary]`, and the indices of the largest, the first of equals.
    package func singleTokens(_ x: Tensor, _ context: AttentionContext) -> (logits: Tensor, likeliest: [Int])? {
        guard context.segments.count == x.shape.rows, x.node == nil, !GradientRecording.isEnabled,
            let cache = context.cache as? KeyValueCache, positions == nil, let rotary, let given = context.positions
        else { return nil }
        let angles = rotary.angles(of: given, offset: virtualTokens?.count ?? 0)
        return cache.advance(x, context.segments, angles: angles) {
            let weights = blocks.compactMap(\.weights)
            guard weights.count == blocks.count, let norm = norm as? RMSNorm else { return nil }
            if let head, !head.isPlain { return nil }
            return MapWeights([(headWeight, nil)]).map { DecoderWeights(blocks: weights, norm: norm.map, head: $0) }
        }
    }

    /// Logits of hidden states, `[rows, vocabulary]`.
    public func logits(_ hidden: Tensor) -> Tensor { linear(hidden, weight: headWeight) }

    /// Adds rows to the embedding and the head, each the mean of those that are there.
    func growVocabulary(to rows: Int) {
        configuration.vocabularySize = rows
        embedding = Self.grown(embedding, to: rows)
        head = head.map { Linear(weight: Self.grown($0.weight, to: rows), bias: nil) }
    }

    private static func grown(_ parameter: Parameter, to rows: Int) -> Parameter {
        let old = parameter.value
        let backend = old.backend
        let count = old.shape[0]
        let mean = meanRows(old, offsets: [0, Int32(count)])
        let fresh = backend.empty([rows, old.shape[1]], old.dtype)
        backend.copy(old, into: fresh.rows(0..<count))
        let repeated = Tensor([Int32](repeating: 0, count: rows - count), on: backend)
        backend.gatherRows(mean.matrix, indices: repeated, into: fresh.rows(count..<rows).matrix, accumulate: false)
        return Parameter(fresh, decays: parameter.decays)
    }
}
