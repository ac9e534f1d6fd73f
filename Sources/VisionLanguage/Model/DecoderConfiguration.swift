import Basics
public import NeuralNetwork
public import TensorCore

/// The shape of a decoder. Llama, SmolLM2, Mistral, Qwen2, Qwen3, Gemma and GPT-2 are settings of one.
public struct DecoderConfiguration: Hashable, Sendable {
    /// Width of a token's hidden state.
    public var hiddenSize: Int
    /// Width of the gated feed-forward.
    public var intermediateSize: Int
    /// Transformer blocks.
    public var layers: Int
    /// Query heads.
    public var attentionHeads: Int
    /// Key-value heads.
    public var keyValueHeads: Int
    /// Columns of one head.
    public var headWidth: Int
    /// Rows of the embedding.
    public var vocabularySize: Int
    /// ε of the norms.
    public var normEpsilon: Float
    /// Base of the rotary embedding.
    public var ropeTheta: Double
    /// Stretching of the rotary embedding.
    public var ropeScaling: RotaryScaling
    /// Longest sequence it was made for.
    public var maximumPositions: Int
    /// Whether the output head is the embedding itself.
    public var tiesWordEmbeddings: Bool
    /// Whether queries, keys and values have biases (Qwen2).
    public var hasQueryKeyValueBias: Bool
    /// Whether the attention's output has a bias.
    public var hasOutputBias: Bool
    /// Whether the feed-forward has biases.
    public var hasFeedForwardBias: Bool
    /// Whether queries and keys are normalised a head (Qwen3).
    public var hasQueryKeyNorm: Bool
    /// The gate's function.
    public var activation: Activation
    /// Row of the embedding that never learns (`pad_token_id` in PyTorch's embedding).
    public var paddingTokenID: Int32?
    /// The family it is written as.
    public var family: DecoderFamily
    /// A limit on how far attention looks back.
    public var slidingWindow: SlidingWindow?

    /// The kind of norm.
    public var norm = Norm.rootMeanSquare
    /// Whether the feed-forward is gated; otherwise it is two maps with biases (GPT-2).
    public var hasGate = true
    /// Whether positions are learned and added to the embeddings (GPT-2) instead of rotary.
    public var hasLearnedPositions = false
    /// Whether embeddings of text are multiplied by √hidden (Gemma).
    public var scalesEmbeddings = false

    /// The norms of decoders.
    public enum Norm: Hashable, Sendable {
        /// RMS norm.
        case rootMeanSquare
        /// RMS norm whose weight is kept less one (Gemma).
        case rootMeanSquarePlusOne
        /// Layer norm with bias (GPT-2).
        case layer
    }

    /// A decoder's shape; the rest defaults to Llama's.
    public init(
        hiddenSize: Int, intermediateSize: Int, layers: Int, attentionHeads: Int, keyValueHeads: Int,
        headWidth: Int? = nil, vocabularySize: Int, normEpsilon: Float = 1e-5, ropeTheta: Double = 10_000,
        ropeScaling: RotaryScaling = .standard, maximumPositions: Int = 2_048, tiesWordEmbeddings: Bool = false,
        hasQueryKeyValueBias: Bool = false, hasOutputBias: Bool = false, hasFeedForwardBias: Bool = false,
        hasQueryKeyNorm: Bool = false, activation: Activation = .silu, paddingTokenID: Int32? = nil,
        family: DecoderFamily? = nil, slidingWindow: SlidingWindow? = nil
    ) {
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.layers = layers
        self.attentionHeads = attentionHeads
        self.keyValueHeads = keyValueHeads
        self.headWidth = headWidth ?? hiddenSize / attentionHeads
        self.vocabularySize = vocabularySize
        self.normEpsilon = normEpsilon
        self.ropeTheta = ropeTheta
        self.ropeScaling = ropeScaling
        self.maximumPositions = maximumPositions
        self.tiesWordEmbeddings = tiesWordEmbeddings
        self.hasQueryKeyValueBias = hasQueryKeyValueBias
        self.hasOutputBias = hasOutputBias
        self.hasFeedForwardBias = hasFeedForwardBias
        self.hasQueryKeyNorm = hasQueryKeyNorm
        self.activation = activation
        self.paddingTokenID = paddingTokenID
        self.family =
            family ?? (hasQueryKeyNorm ? .qwen3 : hasQueryKeyValueBias && !hasOutputBias ? .qwen2 : .llama)
        self.slidingWindow = slidingWindow
    }

    /// The most tokens that a sequence can have; nil where positions are computed.
    public var longestSequence: Int? { hasLearnedPositions ? maximumPositions : nil }

    /// - Throws: where a sequence would need more positions than were learned.
    public func checkLength(_ tokens: Int) throws {
        guard let longestSequence, tokens > longestSequence else { return }
        throw UserError(
            "\(tokens.counted("token")) do not fit the \(longestSequence.counted("position")) that the model has learned",
            fix: "keep within \(longestSequence) tokens (max_tokens, --max-new-tokens)")
    }

    /// How queries, keys and values divide into heads.
    public var heads: HeadLayout {
        HeadLayout(queryHeads: attentionHeads, keyValueHeads: keyValueHeads, width: headWidth)
    }
}

/// A limit on how far attention looks back (Mistral; Beltagy et al. 2020).
public struct SlidingWindow: Hashable, Sendable {
    /// Tokens that a token sees, itself included.
    public var tokens: Int
    /// The blocks that have the limit; the others see everything (Qwen). Nil for all of them.
    public var layers: Set<Int>?

    /// A window.
    public init(tokens: Int, layers: Set<Int>? = nil) {
        self.tokens = tokens
        self.layers = layers
    }

    /// The limit of a block, nil without.
    public func tokens(at layer: Int) -> Int? { layers?.contains(layer) == false ? nil : tokens }
}
