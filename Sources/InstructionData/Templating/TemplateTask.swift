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
}

extension TemplateTask {
    /// What its templates can ask for by name: a field of the exchange, else of its record, else what the task makes of
    /// question and answer.
    func field(_ name: String, of exchange: Exchange, _ metadata: JSONObject) -> JSON? {
        if let own = exchange.fields[name] ?? metadata[name] { return own }
        if name == "question" { return .string(exchange.question) }
        if name == "answer" { return .string(exchange.answer) }
        switch fields.first(where: { $0.name == name })?.source {
        case .answer: return .string(exchange.answer)
        case .question: return .string(exchange.question)
        case .required, .optional, nil: return nil
        }
    }

    /// The first field that must be there and is not.
    func missingField(of exchange: Exchange, _ metadata: JSONObject) -> String? {
        for (name, source) in fields where source == .required && field(name, of: exchange, metadata) == nil {
            return name
        }
        return nil
    }
}
