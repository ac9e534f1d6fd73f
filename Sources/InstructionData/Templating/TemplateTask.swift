import Basics

/// A task with its phrasings.
public struct TemplateTask: Sendable {
    /// What records call it.
    public let name: String
    /// One line.
    public let summary: String
    /// Fields that its phrasings may use, and where each comes from when a record has no field of that name.
    public let fields: [(name: String, source: FieldSource)]
    /// What answers are measured by.
    public let metrics: [String]
    /// Its phrasings, in the file's order.
    public let templates: [PromptTemplate]

    /// Where a field comes from.
    public enum FieldSource: String, Sendable, CaseIterable {
        /// The record's answer.
        case answer
        /// The record's question.
        case question
        /// The record must have it.
        case required
        /// The record may have it; phrasings ask whether it is there.
        case optional
    }

    /// The fields of an exchange under their names here.
    ///
    /// - Throws: the name of a field that is required and not there.
    func values(of exchange: Exchange, _ metadata: JSONObject) throws(MissingField) -> [String: JSON] {
        var values: [String: JSON] = [:]
        for (key, value) in metadata { values[key] = value }
        for (key, value) in exchange.fields { values[key] = value }
        if values["question"] == nil { values["question"] = .string(exchange.question) }
        if values["answer"] == nil { values["answer"] = .string(exchange.answer) }
        for (name, source) in fields where values[name] == nil {
            switch source {
            case .answer: values[name] = .string(exchange.answer)
            case .question: values[name] = .string(exchange.question)
            case .required: throw MissingField(name: name)
            case .optional: break
            }
        }
        return values
    }
}

/// A record lacks a field that its task needs.
struct MissingField: Error {
    var name: String
}
