import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tokenization
import VisionLanguage

/// Measures the model on held-out records during a stage: the loss always, answers when metrics are asked for.
struct StageEvaluation {
    let every: Int
    private let recipe: EvaluationRecipe
    private let stage: StageRecipe
    private let context: StageContext
    private let answers: Trainer.AnswerEvaluation?

    init(
        _ recipe: EvaluationRecipe, _ stage: StageRecipe, _ context: StageContext, _ answers: Trainer.AnswerEvaluation?
    ) throws {
        self.recipe = recipe
        self.stage = stage
        self.context = context
        self.answers = answers
        every = recipe.every
    }

    /// Records that are looked at before training.
    private static let looked = 16

    /// The stage with the data that it is measured on.
    private var held: StageRecipe {
        var held = stage
        held.data = [recipe.data]
        held.mixing = MixingRule()
        held.onError = .skip
        return held
    }

    /// Whether only the loss is measured, of which less is better.
    var measuresLoss: Bool { recipe.metrics.isEmpty || answers == nil }

    /// Reads the first records as ``run()`` will: nobody trains until the first evaluation to learn that it cannot be made.
    ///
    /// - Throws: what is wrong with the first of them, where not one can be used.
    func check() throws {
        guard measuresLoss else { return }
        var held = held
        held.onError = .fail
        let data = try StageData(held, context, isEvaluation: true)
        var first: (any Error)?
        for position in 0..<min(recipe.limit ?? Self.looked, Self.looked, data.order.samplesPerEpoch) {
            do {
                if try data.loader(positions: position..<position + 1).next() != nil { return }
            } catch {
                first = first ?? error
            }
        }
        if let first { throw first }
    }

    func run() throws -> (loss: Double?, metrics: [(name: String, value: Double)]) {
        if !measuresLoss, let answers { return (nil, try answers(context.bundle, recipe)) }
        let data = try StageData(held, context, isEvaluation: true)
        let count = min(recipe.limit ?? data.order.samplesPerEpoch, data.order.samplesPerEpoch)
        let batcher = TokenBudgetBatcher(
            try data.loader(positions: 0..<count),
            limits: .init(tokens: stage.packTokens, samples: max(1, stage.batchSize / stage.accumulate)))
        var sum = 0.0
        var weight = 0
        while let batch = try batcher.next() {
            let packed = try data.collator.pack(batch.samples[...])
            let loss = GradientRecording.disabled { context.bundle.model.loss(packed) }
            sum += Double(loss.scalar)
            weight += packed.supervisedCount
        }
        return (weight > 0 ? sum / Double(weight) : nil, [])
    }
}
