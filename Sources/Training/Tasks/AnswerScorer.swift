public import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tokenization
public import VisionLanguage

/// How likely a model finds given answers: −log p of each of their tokens, nothing generated.
public struct AnswerScorer {
    /// The answers of one record.
    public struct Score: Sendable {
        /// The record.
        public var id: String
        /// Ids of the whole conversation; those of pictures are the placeholder's.
        public var ids: [Int32]
        /// Places of the tokens that carry loss.
        public var places: [Int]
        /// −log p of each of them.
        public var losses: [Float]

        /// Their mean.
        public var mean: Double { losses.reduce(0) { $0 + Double($1) } / Double(max(1, losses.count)) }

        /// For scripts.
        /// - Parameter tokens: whether each token is told.
        public func json(tokens: Bool) -> JSON {
            var object: JSONObject = [
                "id": .string(id), "tokens": .int(losses.count), "loss": .number(mean),
            ]
            if tokens {
                object["ids"] = .array(ids.map { .integer(Int64($0)) })
                object["places"] = .array(places.map { .int($0) })
                object["losses"] = .array(losses.map { .number(Double($0)) })
            }
            return .object(object)
        }
    }

    private let bundle: ModelBundle
    private let source: SampleSource

    /// - Parameters:
    ///   - data: LLaVA or OpenAI-messages JSON or JSONL.
    ///   - template: a chat template by name; nil for the model's own.
    /// - Throws: what is wrong with the data's file or the template.
    public init(_ bundle: ModelBundle, data: String, images: String? = nil, template: String? = nil) throws {
        self.bundle = bundle
        let recipe = try ConversationRecipe(
            bundle, template: bundle.template(named: template), maximumTokens: .max)
        let dataset = try StageData.open(DataSource(path: data, images: images, weight: 1, select: "all"))
        source = SampleSource(datasets: [dataset], recipe: recipe)
    }

    /// Records of the data.
    public var count: Int { source.datasets[0].count }

    /// Scores records, in order.
    /// - Throws: a `Problem` naming the line of a record that cannot be read.
    public func scores(_ records: Range<Int>) throws -> [Score] {
        var repairs: [Repair] = []
        let samples = try records.map {
            try source.sample(at: $0, index: SampleIndex(component: 0, record: $0, epoch: 0), repairs: &repairs)
        }
        let collator = Collator(layout: bundle.pictureLayout)
        let batch = try collator.pack(samples[...])
        var losses: [Float] = []
        GradientRecording.disabled { _ = bundle.model.loss(batch) { losses = $0.floats } }
        var next = losses[...]
        return samples.map { sample in
            let places = sample.text.supervised.indices.filter { $0 > 0 && sample.text.supervised[$0] }
            defer { next = next.dropFirst(places.count) }
            return Score(id: sample.id, ids: sample.text.ids, places: places, losses: Array(next.prefix(places.count)))
        }
    }
}
