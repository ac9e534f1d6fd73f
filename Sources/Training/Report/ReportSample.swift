/// A picture with its question, the model's answer and the right ones, for the report.
public struct ReportSample: Sendable {
    /// The encoded picture.
    public var picture: [UInt8]
    /// Whether it is PNG; JPEG otherwise.
    public var isPNG: Bool
    /// What was asked.
    public var question: String
    /// What the model said.
    public var answer: String
    /// What it should have said; empty where nobody knows.
    public var references: [String]

    /// A sample.
    public init(picture: [UInt8], isPNG: Bool, question: String, answer: String, references: [String]) {
        self.picture = picture
        self.isPNG = isPNG
        self.question = question
        self.answer = answer
        self.references = references
    }

    /// Whether the answer is one of the right ones, apart from case.
    var isRight: Bool? {
        references.isEmpty ? nil : references.contains { $0.lowercased() == answer.lowercased() }
    }
}
