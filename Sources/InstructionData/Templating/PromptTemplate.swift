public import Basics
import Jinja

/// One phrasing of a task: how the fields of an exchange become an instruction and its answer.
public final class PromptTemplate: Sendable {
    /// `task/phrasing`, or for PromptSource's files `dataset/name`.
    public let name: String
    /// The task's name.
    public let task: String
    /// Whether the roles are turned round, as when the question is asked for (P3's inverted tasks).
    public let isInverted: Bool
    /// What the answers are measured by.
    public let metrics: [String]
    /// Names that the texts use.
    public let names: Set<String>

    private let used: Set<String>
    let form: Form
    let choices: Template?

    enum Form: Sendable {
        case parts(prompt: Template, answer: Template)
        /// PromptSource's one text, prompt and answer with `|||` between them.
        case joined(Template)
    }

    init(
        name: String, task: String, form: Form, choices: Template?, isInverted: Bool = false, metrics: [String] = []
    ) {
        self.name = name
        self.task = task
        self.form = form
        self.choices = choices
        self.isInverted = isInverted
        self.metrics = metrics
        var names = choices?.names ?? []
        switch form {
        case .parts(let prompt, let answer): names.formUnion(prompt.names.union(answer.names))
        case .joined(let text): names.formUnion(text.names)
        }
        used = names
        self.names = names.subtracting(Self.given)
    }

    /// Names that every template has beside the fields.
    static let given: Set<String> = ["answer_choices", "answer_index", "letters"]

    /// An instruction with its answer.
    public struct Rendered: Sendable, Equatable {
        /// The instruction.
        public var prompt: String
        /// The answer.
        public var answer: String
        /// The answers to choose from, if the phrasing has any.
        public var choices: [String]
    }

    /// Fills in fields; nil when the answer comes out empty, which is how templates pass over what does not suit them.
    ///
    /// - Parameter seed: seed of what the template draws itself (`choice`).
    /// - Throws: `JinjaError` with the template's name and line.
    public func render(_ fields: [String: JSON], seed: UInt64 = 0) throws -> Rendered? {
        try render(seed: seed) { fields[$0] }
    }

    /// Fills in fields that are looked up by name; see ``render(_:seed:)``.
    func render(seed: UInt64, _ field: (String) -> JSON?) throws -> Rendered? {
        if choices == nil, case .parts(let prompt, let answer) = form, let asked = prompt.joined({ field($0)?.string }),
            let told = answer.joined({ field($0)?.string })
        {
            let (asked, told) = (asked.trimmed, told.trimmed)
            return asked.isEmpty || told.isEmpty ? nil : Rendered(prompt: asked, answer: told, choices: [])
        }
        return try interpreted(seed: seed, field)
    }

    private func interpreted(seed: UInt64, _ field: (String) -> JSON?) throws -> Rendered? {
        var context: [String: JSON] = [:]
        for name in used { context[name] = field(name).map(Self.protected) }
        if used.contains("letters") { context["letters"] = .array(Self.letters) }
        var options: [String] = []
        if let choices {
            options = Self.parts(try choices.render(context, seed: seed).text)
        } else if let given = field("choices")?.array {
            options = given.compactMap(\.string)
        }
        if !options.isEmpty { context["answer_choices"] = .array(options.map { Self.protected(.string($0)) }) }
        if let answer = field("answer")?.string, let index = options.firstIndex(of: answer) {
            context["answer_index"] = .int(index)
        }
        let texts: [String]
        switch form {
        case .parts(let prompt, let answer):
            texts = try [prompt, answer].map { Self.restored(try $0.render(context, seed: seed).text) }
        case .joined(let text): texts = Self.parts(try text.render(context, seed: seed).text)
        }
        guard texts.count >= 2, !texts[0].isEmpty, !texts[1].isEmpty else { return nil }
        return Rendered(prompt: texts[0], answer: texts[1], choices: options)
    }

    private static let letters = (UInt8(ascii: "A")...UInt8(ascii: "Z")).map { letter in
        JSON.string(String(Character(Unicode.Scalar(letter))))
    }

    // A field that holds the separator must not split the text: it is hidden while rendering (as PromptSource does).
    private static let separator = "|||"
    private static let standIn = "\u{F0003}"

    private static func protected(_ value: JSON) -> JSON {
        switch value {
        case .string(let text):
            text.count(ofUTF8: separator) == 0 ? value : .string(text.replacing(utf8: separator, with: standIn))
        case .array(let members): .array(members.map(protected))
        case .object(let members): .object(JSONObject(members.map { ($0.key, protected($0.value)) }))
        default: value
        }
    }

    private static func restored(_ text: String) -> String {
        text.replacing(utf8: standIn, with: separator).trimmed
    }

    private static func parts(_ text: String) -> [String] {
        var parts: [String] = []
        var rest = text
        while let range = rest.firstRange(ofUTF8: separator) {
            parts.append(restored(String(rest[..<range.lowerBound])))
            rest = String(rest[range.upperBound...])
        }
        return parts + [restored(rest)]
    }
}
