/// Llama 2's template as LLaVA has it: `[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{question} [/INST] {answer} </s><s>[INST] …`.
///
/// `conv_llava_llama_2` of LLaVA's `conversation.py` (style LLAMA_2); loss on the answer, the space behind it, and the
/// end token.
public struct Llama2Template: ChatTemplate {
    /// The name in recipes.
    public let name = "llama_2"
    /// Tokens that end an answer.
    public let stopTokens: [TemplateSegment.SpecialToken] = [.end]
    /// Text of the system block when the conversation has no system turn; nil or empty: no block.
    public var system: String?

    /// LLaVA's system prompt for this template.
    public static let defaultSystem =
        "You are a helpful language and vision assistant. "
        + "You are able to understand the visual content that the user provides, "
        + "and assist the user with a variety of tasks using natural language."

    /// Makes the template with a system prompt.
    public init(system: String? = Llama2Template.defaultSystem) {
        self.system = system
    }

    /// The segments of a conversation, in order.
    public func segments(_ conversation: Conversation, openAnswer: Bool) -> [TemplateSegment] {
        var segments: [TemplateSegment] = []
        for (index, turn) in conversation.dialogue.enumerated() {
            if turn.role == .assistant {
                segments += TemplateSegment.split(" " + turn.content + " ", supervised: true)
                segments.append(.special(.end, supervised: true))
            } else {
                segments.append(index == 0 ? .start : .special(.beginning))
                var text = turn.content
                if index == 0, let system = conversation.system ?? system, !system.isEmpty {
                    text = "<<SYS>>\n" + system + "\n<</SYS>>\n\n" + text
                }
                segments += TemplateSegment.split("[INST] " + text + " [/INST]")
            }
        }
        return segments
    }
}
