public import NeuralNetwork
public import TensorCore

/// The shape of a whole model.
public struct ModelConfiguration: Hashable, Sendable {
    /// The tower; nil for a language model alone.
    public var vision: VisionConfiguration?
    /// What the projector sees of the tower.
    public var features: VisionFeatures
    /// The projector.
    public var projector: ProjectorConfiguration
    /// The decoder.
    public var language: DecoderConfiguration
    /// Whose folder it is written as.
    public var layout: ModelLayout

    /// A model's shape; without a layout, LLaVA's where it has a tower.
    public init(
        vision: VisionConfiguration?, features: VisionFeatures, projector: ProjectorConfiguration,
        language: DecoderConfiguration, layout: ModelLayout? = nil
    ) {
        self.layout = layout ?? (vision == nil ? .decoder : .llava)
        self.vision = vision
        self.features = features
        self.projector = projector
        self.language = language
    }

    /// Whether the tokens of a prompt see each other in both directions (PaliGemma's prefix attention).
    public var attendsToWholePrompt: Bool { layout == .paliGemma }

    /// Visual tokens of a picture of this size, in pixels.
    public func visualTokenCount(height: Int, width: Int) -> Int {
        guard let vision else { return 0 }
        let count = projector.tokenCount(rows: height / vision.patchSize, columns: width / vision.patchSize)
        return count + (vision.hasClassToken && !features.dropsClassToken ? 1 : 0)
    }
}

/// Vision tower → projector → visual tokens among text tokens → decoder.
public final class VisionLanguageModel: Module {
    /// The model's shape.
    public internal(set) var configuration: ModelConfiguration
    /// The tower, nil for a language model alone.
    public let vision: VisionTower?
    /// The projector, nil for a language model alone.
    public let projector: Projector?
    /// The decoder.
    public let language: Decoder
    /// Where the weights are.
    public let backend: any Backend

    /// A new model.
    public init(_ configuration: ModelConfiguration, _ initializer: Initializer) {
        self.configuration = configuration
        backend = initializer.backend
        vision = configuration.vision.map { VisionTower($0, initializer) }
        projector = configuration.vision.map {
            Projector(
                configuration.projector, visionSize: $0.hiddenSize, hiddenSize: configuration.language.hiddenSize,
                hasNewline: configuration.layout == .llavaNext, initializer)
        }
        language = Decoder(configuration.language, initializer)
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        ["vision": vision, "projector": projector, "language": language]
    }

    /// What `expect` was told.
    var expectedGradientBytes = 0
    var trainsTower = false
    var dividesSteps = false

    /// Takes the place of the tower where its states may be known already; its second argument runs the tower.
    package var knownStates: ((PictureGroup, (PictureGroup) -> Tensor) -> Tensor)?

    /// What the tower makes of a group of pictures, `[pictures · patches, columns]`.
    package func towerStates(_ group: PictureGroup) -> Tensor {
        guard let vision, let shape = configuration.vision else {
            preconditionFailure("a language model alone takes no pictures")
        }
        return vision(group.tensor(for: shape, on: backend), features: configuration.features)
    }

    /// Visual tokens of a group of pictures, `[pictures · tokens, hidden]`.
    public func visualTokens(_ group: PictureGroup) -> Tensor {
        guard let projector, let shape = configuration.vision else {
            preconditionFailure("a language model alone takes no pictures")
        }
        let states = knownStates.map { $0(group, towerStates) } ?? towerStates(group)
        let tokens = projector(
            states, pictures: group.count, rows: group.height / shape.patchSize,
            columns: group.width / shape.patchSize)
        return group.sources.map { projector.arranged(tokens, $0) } ?? tokens
    }

    /// Token embeddings with visual tokens in their places, `[tokens, hidden]`.
    public func embedded(_ ids: [Int32], _ pictures: [PictureGroup]) -> Tensor {
        let groups = pictures.filter { $0.count > 0 }
        guard !groups.isEmpty else { return language.embedded(ids, features: nil, rows: []) }
        var features = visualTokens(groups[0])
        for group in groups.dropFirst() { features = joinedRows(features, visualTokens(group)) }
        return language.embedded(ids, features: features, rows: groups.flatMap(\.rows))
    }

    /// Hidden states of a packed batch after the final norm, `[tokens, hidden]`.
    ///
    /// - Parameter repeating: blocks of the decoder that keep the way to their activation function's argument instead of the argument.
    public func hiddenStates(_ batch: PackedBatch, repeating: Int = 0) -> Tensor {
        let context = AttentionContext(
            segments: AttentionSegments(
                offsets: batch.offsets, isCausal: true,
                prefixCounts: configuration.attendsToWholePrompt ? batch.promptCounts : nil),
            positions: RotaryPositions(batch.positions, on: backend))
        return language(embedded(batch.ids, batch.pictures), context, repeating: repeating)
    }

    /// The sum of −log p over the supervised tokens of a batch, a scalar; divide by `supervisedCount` for the mean.
    ///
    /// - Parameter scale: factor on the loss and its gradients.
    public func loss(_ batch: PackedBatch, scale: Float = 1, rowLosses: ((Tensor) -> Void)? = nil) -> Tensor {
        let repeating = GradientRecording.isEnabled ? repeatingBlocks(batch) : 0
        return crossEntropy(
            hiddenStates(batch, repeating: repeating), head: language.headWeight, labels: batch.labels, scale: scale,
            rowLosses: rowLosses)
    }

    /// Keeps one activation a block and computes the rest again in the backward pass.
    public var recomputesActivations: Bool {
        get { language.recomputesActivations }
        set {
            language.recomputesActivations = newValue
            vision?.recomputesActivations = newValue
        }
    }
}
