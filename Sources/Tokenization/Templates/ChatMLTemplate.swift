/// ChatML: `<|im_start|>{role}\n{content}<|im_end|>\n`, as SmolLM2, Qwen2 and nanoVLM have it.
///
/// LLaVA's `chatml_direct` is the same without the newline after the end marker: `ChatMLTemplate.llava`.
public struct ChatMLTemplate: ChatTemplate {
    /// The name in recipes.
    public let name: String
    /// Tokens that end an answer.
    public let stopTokens: [TemplateSegment.SpecialToken] = [.named(ChatMLTemplate.end)]
    /// Text of the system turn when the conversation has none; nil: no system turn.
    public var system: String?
    /// What follows the end marker.
    public var separator: String

    static let start = "<|im_start|>"
    static let end = "<|im_end|>"

    /// Makes the template.
    public init(name: String = "chatml", system: String? = nil, separator: String = "\n") {
        self.name = name
        self.system = system
        self.separator = separator
    }

    /// `chatml_direct` of LLaVA's `conversation.py`.
    public static let llava = ChatMLTemplate(
        name: "chatml_direct", system: "Answer the questions.", separator: "")

    /// The segments of a conversation, in order.
    public func segments(_ conversation: Conversation, openAnswer: Bool) -> [TemplateSegment] {
        var segments: [TemplateSegment] = [.start]
        func close(supervised: Bool) {
            segments.append(.special(.named(Self.end), supervised: supervised))
            if !separator.isEmpty { segments.append(.text(separator)) }
        }
        func open(_ role: Role) {
            segments += [.special(.named(Self.start)), .text(role.rawValue + "\n")]
        }
        if let system = conversation.system ?? system {
            open(.system)
            segments += TemplateSegment.split(system)
            close(supervised: false)
        }
        for turn in conversation.dialogue {
            open(turn.role)
            segments += TemplateSegment.split(turn.content, supervised: turn.role == .assistant)
            close(supervised: turn.role == .assistant)
        }
        if openAnswer { open(.assistant) }
        return segments
    }
}
