import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tokenization
import VisionLanguage

/// Supervised tuning on the answers of conversations, with or without pictures.
final class InstructTask: FusableTask, DividableTask {
    let totalSteps: Int
    let stepsPerEpoch: Double
    let extraParameters: ParameterTree = [:]
    private(set) var position: Int
    var willBackward: ((Double) -> Void)?
    var willRunSource: ((Int) -> Void)?

    private let model: VisionLanguageModel
    private let collator: Collator
    private let accumulate: Int
    private let packTokens: Int?
    private let augmentation: PictureAugmentation
    private let seed: UInt64
    private let loader: SampleLoader
    private let batcher: TokenBudgetBatcher
    private let features: FrozenFeatures?

    init(_ stage: StageRecipe, _ context: StageContext, from position: Int) throws {
        model = context.bundle.model
        accumulate = stage.accumulate
        packTokens = stage.packTokens
        augmentation = PictureAugmentation(flips: stage.flipsPictures, shift: stage.shiftsPictures)
        seed = context.seed
        let data = try StageData(stage, context)
        collator = data.collator
        if augmentation.isActive, collator.layout?.dependsOnSize == true {
            throw UserError(
                "stage \"\(stage.name)\": this model's pictures are cut into tiles, which cannot be mirrored or shifted singly",
                fix: "remove augment:")
        }
        stepsPerEpoch = Double(data.order.samplesPerEpoch) / Double(stage.batchSize)
        totalSteps = stage.steps ?? Int((stepsPerEpoch * stage.epochs).rounded(.up))
        let samples =
            stage.steps.map { $0 * stage.batchSize }
            ?? Int((Double(data.order.samplesPerEpoch) * stage.epochs).rounded(.up))
        self.position = position
        loader = try data.loader(positions: position..<max(position, samples))
        batcher = TokenBudgetBatcher(loader, limits: .init(samples: stage.batchSize))
        features = stage.cachesFeatures ? FrozenFeatures(stage, context) : nil
    }

    var waitSeconds: Double { loader.statistics.waitSeconds }

    var counts: DataCounts {
        let statistics = loader.statistics
        return DataCounts(
            samples: statistics.samples, rejected: statistics.rejected, replaced: statistics.replaced,
            truncated: statistics.truncatedSamples, cutTokens: statistics.truncatedTokens)
    }

    func step() throws -> StepLoss? {
        guard let batch = try batcher.next() else { return nil }
        try features?.begin()
        defer { features?.end() }
        position = batch.nextPosition
        var loss = StepLoss(sum: 0, weight: 0, tokens: 0, pictures: 0)
        let samples = batch.samples.map {
            augmentation.applied(
                to: $0, seed: seed, height: collator.layout?.height ?? 0, width: collator.layout?.width ?? 0)
        }
        for part in divided(samples) {
            if let first = part.first { willRunSource?(first.index.component) }
            let packed = try collator.pack(part)
            loss.sum += model.addGradients(
                of: packed, willBackward: willBackward.map { begin in { begin(Double(packed.supervisedCount)) } })
            loss.weight += Double(packed.supervisedCount)
            loss.tokens += packed.tokenCount
            loss.pictures += packed.pictures.reduce(0) { $0 + $1.count }
        }
        return loss
    }

    /// The parts that the step is computed in: by data source where a method wants that, each in turn divided for memory.
    private func divided(_ samples: [Sample]) -> [ArraySlice<Sample>] {
        guard willRunSource != nil else { return Collator.divided(samples, into: accumulate, tokens: packTokens) }
        let sources = Set(samples.map(\.index.component)).sorted()
        return sources.flatMap { source in
            Collator.divided(
                samples.filter { $0.index.component == source }, into: accumulate, tokens: packTokens)
        }
    }
}
