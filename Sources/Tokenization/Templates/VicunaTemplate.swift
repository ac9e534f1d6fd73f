/// LLaVA-1.5's template `vicuna_v1`: `{system} USER: {question} ASSISTANT: {answer}</s>USER: …`.
///
/// `conv_vicuna_v1` of LLaVA's `conversation.py`. No space follows the end token; a prompt ends with `ASSISTANT:`.
public struct VicunaTemplate: ChatTemplate {
    /// The name in recipes.
    public let name = "vicuna_v1"
    /// Tokens that end an answer.
    public let stopTokens: [TemplateSegment.SpecialToken] = [.end]
    /// Text in front of the first question when the conversation has no system turn; nil or empty: none.
    public var system: String?

    /// LLaVA's system prompt for this template.
    public static let defaultSystem =
        "A chat between a curious user and an artificial intelligence assistant. "
        + "The assistant gives helpful, detailed, and polite answers to the user's questions."

    /// Makes the template with a system prompt.
    public init(system: String? = VicunaTemplate.defaultSystem) {
        self.system = system
    }

    /// The segments of a conversation, in order.
    public func segments(_ conversation: Conversation, openAnswer: Bool) -> [TemplateSegment] {
        var segments: [TemplateSegment] = [.start]
        if let system = conversation.system ?? system, !system.isEmpty {
            segments += TemplateSegment.split(system + " ")
        }
        for turn in conversation.dialogue {
            if turn.role == .assistant {
                segments.append(.text(" ASSISTANT:"))
                segments += TemplateSegment.split(" " + turn.content, supervised: true)
                segments.append(.special(.end, supervised: true))
            } else {
                segments += TemplateSegment.split("USER: " + turn.content)
            }
        }
        if openAnswer { segments.append(.text(" ASSISTANT:")) }
        return segments
    }
}
