public import Basics

/// A question with its answer and every answer that an evaluation accepts.
public struct Exchange: Sendable, Equatable {
    /// The question or instruction.
    public var question: String
    /// What the model is trained to answer.
    public var answer: String
    /// What an evaluation compares with: all annotators' answers, or the answer alone.
    public var references: [String]
    /// The source's name of the question, when it has one.
    public var id: String?

    /// Makes an exchange; the answer is the only reference unless others are given.
    public init(question: String, answer: String, references: [String] = [], id: String? = nil) {
        self.question = question
        self.answer = answer
        self.references = references.isEmpty ? [answer] : references
        self.id = id
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
