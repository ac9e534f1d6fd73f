public import Basics

/// One answer of a model beside the answers that people gave.
public struct Prediction: Equatable, Sendable {
    /// Names the item in reports; the line number where the file gives none.
    public var id: String
    /// What the model said.
    public var prediction: String
    /// What would have been right: one answer, several captions, or the ten answers of VQA.
    public var references: [String]
    /// The question, where there was one.
    public var question: String?
    /// The group in which the item is counted as well, for example `color` or `yes/no`.
    public var kind: String?
    /// The picture's path, where there was one.
    public var image: String?

    /// Creates an item.
    public init(
        id: String, prediction: String, references: [String], question: String? = nil, kind: String? = nil,
        image: String? = nil
    ) {
        self.id = id
        self.prediction = prediction
        self.references = references
        self.question = question
        self.kind = kind
        self.image = image
    }

    /// The item as one line of a predictions file; absent fields are left out.
    public var json: JSON {
        var object = JSONObject()
        object["id"] = .string(id)
        if let image { object["image"] = .string(image) }
        if let question { object["question"] = .string(question) }
        if let kind { object["kind"] = .string(kind) }
        object["prediction"] = .string(prediction)
        object["references"] = .array(references.map { .string($0) })
        return .object(object)
    }
}
