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

    func run() throws -> (loss: Double?, metrics: [(name: String, value: Double)]) {
        if !recipe.metrics.isEmpty, let answers { return (nil, try answers(context.bundle, recipe)) }
        var held = stage
        held.data = [recipe.data]
        held.mixing = MixingRule()
        held.onError = .skip
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
