/// How a conversation becomes one sequence: roles, separators and special tokens of a model family.
///
/// A template lists ``TemplateSegment``s; rendering, loss mask, truncation and prompts are the same for all (see
/// `ChatTemplate+Rendering.swift`).
public protocol ChatTemplate: Sendable {
    /// The name in recipes, for example `vicuna_v1`.
    var name: String { get }

    /// The segments of a conversation whose order of roles has been checked.
    ///
    /// - Parameter openAnswer: whether to end with what stands in front of an answer (the generation prompt); then the
    ///   conversation ends with a user turn.
    func segments(_ conversation: Conversation, openAnswer: Bool) throws -> [TemplateSegment]

    /// Tokens that end an answer.
    var stopTokens: [TemplateSegment.SpecialToken] { get }

    /// Text that ends an answer.
    var stopStrings: [String] { get }
}

extension ChatTemplate {
    /// Text that ends an answer.
    public var stopStrings: [String] { [] }

    /// Ids that end an answer: the template's own and the tokenizer's end of text.
    public func stopIDs(_ tokenizer: Tokenizer) -> [Int32] {
        var ids: [Int32] = []
        for token in stopTokens + [.end] {
            if let id = tokenizer.id(of: token), !ids.contains(id) { ids.append(id) }
        }
        return ids
    }
}

/// The templates known by name.
public enum ChatTemplateName: String, Sendable, CaseIterable, Codable {
    case plain
    case vicuna = "vicuna_v1"
    case chatML = "chatml"
    case llama2 = "llama_2"
    case llama3 = "llama_3"
    case paliGemma = "paligemma"

    /// The template with its default system prompt.
    public var template: any ChatTemplate {
        switch self {
        case .plain: PlainTemplate()
        case .vicuna: VicunaTemplate()
        case .chatML: ChatMLTemplate()
        case .llama2: Llama2Template()
        case .llama3: Llama3Template()
        case .paliGemma: PaliGemmaTemplate()
        }
    }
}
