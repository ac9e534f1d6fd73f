public import TensorCore

/// A block of a decoder, whatever its norm and feed-forward.
public protocol DecoderBlock: Module {
    /// - Parameters:
    ///   - x: `[tokens, hidden]`.
    ///   - layer: this block's index.
    func callAsFunction(_ x: Tensor, _ context: AttentionContext, layer: Int) -> Tensor
    /// What the block computes with, where a back end may take single tokens through several blocks at once.
    var weights: DecoderBlockWeights? { get }
}

/// A pre-norm transformer block: `<LayerNorm, MLP>` in the vision tower and GPT-2, `<RMSNorm, GatedMLP>` in other decoders.
public final class TransformerBlock<Norm: Layer, FeedForward: ResidualLayer>: DecoderBlock {
    let norm1: Norm
    let attention: Attention
    let norm2: Norm
    let feedForward: FeedForward

    /// A block over its parts.
    public init(norm1: Norm, attention: Attention, norm2: Norm, feedForward: FeedForward) {
        self.norm1 = norm1
        self.attention = attention
        self.norm2 = norm2
        self.feedForward = feedForward
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        ["norm1": norm1, "attention": attention, "norm2": norm2, "feedForward": feedForward]
    }

    /// - Parameters:
    ///   - x: `[tokens, hidden]`.
    ///   - layer: this block's index.
    /// - Returns: `[tokens, hidden]`, or a row a segment where the context ends with last rows.
    public func callAsFunction(_ x: Tensor, _ context: AttentionContext, layer: Int) -> Tensor {
        let residual =
            context.endsWithLastRows ? gatherRows(x, indices: Tensor(context.segments.lastRows, on: x.backend)) : x
        let h = attention(
            attention.takesFactors ? norm1.factor(x) : norm1(x), context, layer: layer, addedTo: residual)
        return feedForward.added(to: h, feedForward.takesFactors ? norm2.factor(h) : norm2(h))
    }
}
