/// Llama 3's template: `<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>`, text trimmed as published.
public struct Llama3Template: ChatTemplate {
    /// The name in recipes.
    public let name = "llama_3"
    /// Tokens that end an answer.
    public let stopTokens: [TemplateSegment.SpecialToken] = [.named("<|eot_id|>")]
    /// Text of the system turn when the conversation has none; nil: no system turn.
    public var system: String?

    /// Makes the template with a system prompt.
    public init(system: String? = nil) {
        self.system = system
    }

    /// The segments of a conversation, in order.
    public func segments(_ conversation: Conversation, openAnswer: Bool) -> [TemplateSegment] {
        var segments: [TemplateSegment] = [.special(.beginning)]
        func open(_ role: Role) {
            segments += [
                .special(.named("<|start_header_id|>")), .text(role.rawValue), .special(.named("<|end_header_id|>")),
                .text("\n\n"),
            ]
        }
        func add(_ turn: Turn) {
            let supervised = turn.role == .assistant
            open(turn.role)
            segments += TemplateSegment.split(turn.content.trimmed(), supervised: supervised)
            segments.append(.special(.named("<|eot_id|>"), supervised: supervised))
        }
        if let system = conversation.system ?? system { add(Turn(role: .system, content: system)) }
        conversation.dialogue.forEach(add)
        if openAnswer { open(.assistant) }
        return segments
    }
}
