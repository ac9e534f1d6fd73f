public import TensorCore

/// The shape of a vision transformer. CLIP and SigLIP are two settings of one tower.
public struct VisionConfiguration: Hashable, Sendable {
    /// Width of a patch's hidden state.
    public var hiddenSize: Int
    /// Width of the feed-forward.
    public var intermediateSize: Int
    /// Transformer blocks.
    public var layers: Int
    /// Attention heads.
    public var attentionHeads: Int
    /// Side of the square pictures it was made for, in pixels.
    public var imageSize: Int
    /// Side of a patch, in pixels.
    public var patchSize: Int
    /// Colour channels.
    public var channels: Int
    /// The feed-forward's function.
    public var activation: Activation
    /// ε of the layer norms.
    public var normEpsilon: Float
    /// Whether a learned class token stands before the patches (CLIP).
    public var hasClassToken: Bool
    /// Whether the patch embedding has a bias (SigLIP).
    public var hasPatchBias: Bool
    /// Whether a norm stands before the first block (CLIP).
    public var hasPreNorm: Bool
    /// Whether an attention-pooling head stands after the last norm (SigLIP).
    public var hasPoolingHead: Bool
    /// What becomes of the positions when a picture's grid is not the one the tower was made for.
    public var positionRule: PositionRule

    /// What becomes of learned positions on another grid.
    public enum PositionRule: Hashable, Sendable {
        /// The table is resampled bicubically (CLIP, SigLIP).
        case resampled
        /// Each patch takes the position at the same fraction of the side, rounded down (Idefics3, SmolVLM; NaViT,
        /// Dehghani et al. 2023).
        case bucketed
    }

    /// A tower's shape; the flags default to SigLIP's.
    public init(
        hiddenSize: Int, intermediateSize: Int, layers: Int, attentionHeads: Int, imageSize: Int, patchSize: Int,
        channels: Int = 3, activation: Activation = .geluTanh, normEpsilon: Float = 1e-6, hasClassToken: Bool = false,
        hasPatchBias: Bool = true, hasPreNorm: Bool = false, hasPoolingHead: Bool = false,
        positionRule: PositionRule = .resampled
    ) {
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.layers = layers
        self.attentionHeads = attentionHeads
        self.imageSize = imageSize
        self.patchSize = patchSize
        self.channels = channels
        self.activation = activation
        self.normEpsilon = normEpsilon
        self.hasClassToken = hasClassToken
        self.hasPatchBias = hasPatchBias
        self.hasPreNorm = hasPreNorm
        self.hasPoolingHead = hasPoolingHead
        self.positionRule = positionRule
    }

    /// Patches along one side of a picture of the size it was made for.
    public var gridSize: Int { imageSize / patchSize }
}

/// Which of the tower's hidden states go to the projector.
public struct VisionFeatures: Hashable, Sendable {
    /// Hidden state by Hugging Face's count: 0 is the first block's input, −1 the last block's output.
    public var layer: Int
    /// Whether the final norm is applied (nanoVLM) or not (LLaVA).
    public var appliesPostNorm: Bool
    /// Whether the class token is left out (`default`) or kept (`full`).
    public var dropsClassToken: Bool

    /// A choice of features.
    public init(layer: Int = -1, appliesPostNorm: Bool, dropsClassToken: Bool = true) {
        self.layer = layer
        self.appliesPostNorm = appliesPostNorm
        self.dropsClassToken = dropsClassToken
    }

    /// Blocks to run of a tower of `layers`.
    public func blockCount(of layers: Int) -> Int { layer < 0 ? layers + 1 + layer : layer }
}
