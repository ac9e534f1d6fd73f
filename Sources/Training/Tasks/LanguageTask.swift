import Basics
import NeuralNetwork
import TensorCore
import Tokenization
import VisionLanguage

/// Next-token pretraining on plain texts: a line of a `.txt` file, or the `text` of a line of JSONL, is one sequence.
final class LanguageTask: FusableTask {
    let totalSteps: Int
    let stepsPerEpoch: Double
    let extraParameters: ParameterTree = [:]
    let waitSeconds = 0.0
    private(set) var position: Int
    var willBackward: ((Double) -> Void)?
    private(set) var counts = DataCounts()

    private let model: VisionLanguageModel
    private let corpus: TextCorpus
    private let stage: StageRecipe
    private let tokenizer: Tokenizer
    private let lastPosition: Int

    init(_ stage: StageRecipe, _ context: StageContext, from position: Int) throws {
        model = context.bundle.model
        tokenizer = context.bundle.tokenizer
        self.stage = stage
        corpus = try TextCorpus(stage.data.map(\.path), seed: context.seed)
        stepsPerEpoch = Double(corpus.count) / Double(stage.batchSize)
        totalSteps = stage.steps ?? Int((stepsPerEpoch * stage.epochs).rounded(.up))
        lastPosition =
            stage.steps.map { $0 * stage.batchSize } ?? Int((Double(corpus.count) * stage.epochs).rounded(.up))
        self.position = position
    }

    func step() throws -> StepLoss? {
        guard position < lastPosition else { return nil }
        let range = position..<min(position + stage.batchSize, lastPosition)
        position = range.upperBound
        var loss = StepLoss(sum: 0, weight: 0, tokens: 0, pictures: 0)
        let share = (range.count + stage.accumulate - 1) / stage.accumulate
        for start in stride(from: range.lowerBound, to: range.upperBound, by: share) {
            let packed = try pack(start..<min(start + share, range.upperBound))
            loss.sum += model.addGradients(
                of: packed, willBackward: willBackward.map { begin in { begin(Double(packed.supervisedCount)) } })
            loss.weight += Double(packed.supervisedCount)
            loss.tokens += packed.tokenCount
        }
        return loss
    }

    private func pack(_ positions: Range<Int>) throws -> PackedBatch {
        var ids: [Int32] = []
        var labels: [Int32] = []
        var offsets: [Int32] = [0]
        for position in positions {
            var sequence = tokenizer.encode(try corpus.text(at: position))
            if let bos = tokenizer.bosID { sequence.insert(bos, at: 0) }
            if let eos = tokenizer.eosID { sequence.append(eos) }
            let most = min(stage.maximumTokens, model.configuration.language.longestSequence ?? .max)
            if sequence.count > most {
                counts.truncated += 1
                counts.cutTokens += sequence.count - most
                sequence.removeLast(sequence.count - most)
            }
            counts.samples += 1
            ids += sequence
            labels += sequence.dropFirst() + [-1]
            offsets.append(Int32(ids.count))
        }
        return PackedBatch(ids: ids, labels: labels, offsets: offsets, pictures: [])
    }
}
