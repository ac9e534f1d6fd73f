public import NeuralNetwork
public import TensorCore

/// A causal language model: embedding, blocks, norm, head (Touvron et al. 2023).
public final class Decoder: Module {
    /// The decoder's shape.
    public let configuration: DecoderConfiguration
    /// `[vocabulary, hidden]`.
    public let embedding: Parameter
    private let blocks: [TransformerBlock<RMSNorm, GatedMLP>]
    private let norm: RMSNorm
    private let head: Linear?
    /// Whether blocks are computed again in the backward pass instead of kept.
    public var recomputesActivations = false

    /// A new decoder.
    public init(_ configuration: DecoderConfiguration, _ initializer: Initializer) {
        self.configuration = configuration
        let hidden = configuration.hiddenSize
        embedding = initializer.normal([configuration.vocabularySize, hidden], deviation: 0.02)
        let rotary = RotaryEmbedding(
            headWidth: configuration.headWidth, theta: configuration.ropeTheta, scaling: configuration.ropeScaling,
            backend: initializer.backend)
        // Residual branches start smaller in deep decoders, so that the sum over blocks keeps its size (Radford et al. 2019).
        let gain = 1 / Float(2 * max(1, configuration.layers)).squareRoot()
        func norm() -> RMSNorm { RMSNorm(columns: hidden, epsilon: configuration.normEpsilon, initializer) }
        blocks = (0..<configuration.layers).map { _ in
            TransformerBlock(
                norm1: norm(),
                attention: Attention(
                    hiddenSize: hidden, heads: configuration.heads, hasInputBias: configuration.hasQueryKeyValueBias,
                    hasOutputBias: configuration.hasOutputBias, rotary: rotary,
                    normEpsilon: configuration.hasQueryKeyNorm ? configuration.normEpsilon : nil, gain: gain,
                    initializer),
                norm2: norm(),
                feedForward: GatedMLP(
                    hiddenSize: hidden, intermediateSize: configuration.intermediateSize,
                    activation: configuration.activation, hasBias: configuration.hasFeedForwardBias, gain: gain,
                    initializer))
        }
        self.norm = norm()
        head =
            configuration.tiesWordEmbeddings
            ? nil : Linear(inputs: hidden, outputs: configuration.vocabularySize, hasBias: false, initializer)
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        ["embedding": embedding, "layers": blocks, "norm": norm, "head": head]
    }

    /// The output head's weight, `[vocabulary, hidden]`.
    public var headWeight: Tensor { head?.weight.tensor ?? embedding.tensor }

    /// Token embeddings with visual tokens in their places, `[tokens, hidden]`; ids are negative at the places.
    public func embedded(_ ids: [Int32], features: Tensor?, rows: [Int32]) -> Tensor {
        let backend = embedding.value.backend
        return TensorCore.embedded(
            embedding.tensor, ids: Tensor(ids, on: backend), features: features,
            rows: features == nil ? nil : Tensor(rows, on: backend), paddingID: configuration.paddingTokenID)
    }

    /// Hidden states after the final norm.
    ///
    /// - Parameters:
    ///   - x: embedded tokens, `[tokens, hidden]`.
    ///   - captured: receives every block's input and the result, for inspection.
    public func callAsFunction(
        _ x: Tensor, _ context: AttentionContext, captured: ((Int, Tensor) -> Void)? = nil
    ) -> Tensor {
        var h = x
        for (index, block) in blocks.enumerated() {
            captured?(index, h)
            if recomputesActivations, context.cache == nil {
                h = recomputed(h) { block($0, context, layer: index) }
            } else {
                h = block(h, context, layer: index)
            }
        }
        h = norm(h)
        captured?(blocks.count, h)
        return h
    }

    /// Logits of hidden states, `[rows, vocabulary]`.
    public func logits(_ hidden: Tensor) -> Tensor { linear(hidden, weight: headWeight) }
}
