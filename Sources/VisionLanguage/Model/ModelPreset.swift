/// Shapes to measure with, the same as in the comparison with other frameworks.
public enum ModelPreset: String, Sendable, CaseIterable {
    /// SigLIP-B/16-224 and the shape of SmolLM2-135M.
    case smol
    /// Four blocks of 128 over 64-pixel pictures, six blocks of 192 over 1,024 tokens.
    case tiny

    /// The preset's model.
    public var configuration: ModelConfiguration {
        let features = VisionFeatures(layer: -1, appliesPostNorm: false)
        switch self {
        case .smol:
            return ModelConfiguration(
                vision: VisionConfiguration(
                    hiddenSize: 768, intermediateSize: 3_072, layers: 12, attentionHeads: 12, imageSize: 224,
                    patchSize: 16),
                features: features, projector: .mlp2xGelu,
                language: DecoderConfiguration(
                    hiddenSize: 576, intermediateSize: 1_536, layers: 30, attentionHeads: 9, keyValueHeads: 3,
                    vocabularySize: 49_152, ropeTheta: 100_000, maximumPositions: 2_048, tiesWordEmbeddings: true))
        case .tiny:
            return ModelConfiguration(
                vision: VisionConfiguration(
                    hiddenSize: 128, intermediateSize: 512, layers: 4, attentionHeads: 4, imageSize: 64, patchSize: 8),
                features: features, projector: .mlp2xGelu,
                language: DecoderConfiguration(
                    hiddenSize: 192, intermediateSize: 512, layers: 6, attentionHeads: 6, keyValueHeads: 2,
                    vocabularySize: 1_024, maximumPositions: 512, tiesWordEmbeddings: true))
        }
    }
}
