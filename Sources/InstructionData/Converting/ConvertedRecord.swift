public import Basics
import Tokenization

/// A question with its answer and every answer that an evaluation accepts.
public struct Exchange: Sendable, Equatable {
    /// The question or instruction.
    public var question: String
    /// What the model is trained to answer.
    public var answer: String
    /// What an evaluation compares with: all annotators' answers, or the answer alone.
    public var references: [String] {
        get { annotated.isEmpty ? [answer] : annotated }
        set { annotated = newValue }
    }
    /// Answers that were given as references; none: the answer is the only one.
    fileprivate var annotated: [String]
    /// The source's name of the question, when it has one.
    public var id: String?
    /// What kind of task it is, a name in `Datasets/templates`; nil when the source does not say.
    public var task: String?
    /// What templates can use beside question and answer: choices, boxes, counts.
    public var fields = JSONObject()

    /// Makes an exchange; the answer is the only reference unless others are given.
    public init(
        question: String, answer: String, references: [String] = [], id: String? = nil, task: String? = nil,
        fields: JSONObject = JSONObject()
    ) {
        self.question = question
        self.answer = answer
        annotated = references
        self.id = id
        self.task = task
        self.fields = fields
    }
}

extension Exchange {
    /// Whether its answer is all that an evaluation accepts.
    var hasOnlyAnswer: Bool { annotated.isEmpty || annotated == [answer] }

    /// Takes another answer, which is then the only one.
    mutating func replaceAnswer(by other: String) {
        answer = other
        annotated = []
    }
}

/// What a converter makes of its source: pictures with the exchanges about them.
public struct ConvertedRecord: Sendable {
    /// The record's name.
    public var id: String
    /// Pictures, relative to the converter's picture root.
    public var images: [ImageReference]
    /// A system turn, when the source has one.
    public var system: String?
    /// Questions and answers in order.
    public var exchanges: [Exchange]
    /// Whether the questions hold their `<image>` markers already; else they are put before the first.
    public var hasMarkers: Bool
    /// Anything worth keeping.
    public var metadata: JSONObject
    /// Whether its questions stand in an evaluation file; false for further captions of a picture that is in it.
    public var isEvaluated = true

    /// Makes a record whose markers are put before the first question.
    public init(
        id: String, images: [ImageReference], system: String? = nil, exchanges: [Exchange], hasMarkers: Bool = false,
        metadata: JSONObject = JSONObject()
    ) {
        self.id = id
        self.images = images
        self.system = system
        self.exchanges = exchanges
        self.hasMarkers = hasMarkers
        self.metadata = metadata
    }
}

extension ConvertedRecord {
    /// A record that was read, with its exchanges' tasks and fields if they were kept.
    package init(_ record: InstructionRecord) {
        let dialogue = Array(record.conversation.dialogue)
        let tasks = record.metadata["tasks"]?.array ?? []
        let exchanges = stride(from: 0, to: dialogue.count - 1, by: 2).enumerated().map { number, start in
            let entry = tasks.indices.contains(number) ? tasks[number] : .null
            return Exchange(
                question: dialogue[start].content, answer: dialogue[start + 1].content,
                references: entry["references"]?.array?.compactMap(\.string) ?? [], task: entry["task"]?.string,
                fields: entry["fields"]?.object ?? JSONObject())
        }
        var metadata = record.metadata
        metadata["tasks"] = nil
        self.init(
            id: record.id, images: record.images, system: record.conversation.system, exchanges: exchanges,
            hasMarkers: true, metadata: metadata)
    }

    /// The exchanges' tasks and fields, one entry an exchange; nil when no exchange says anything.
    var tasks: JSON? {
        guard exchanges.contains(where: { $0.task != nil || !$0.fields.isEmpty }) else { return nil }
        return .array(
            exchanges.map { exchange in
                var entry = JSONObject()
                if let task = exchange.task { entry["task"] = .string(task) }
                if !exchange.fields.isEmpty { entry["fields"] = .object(exchange.fields) }
                if !exchange.hasOnlyAnswer {
                    entry["references"] = .array(exchange.references.map { .string($0) })
                }
                return .object(entry)
            })
    }
}
