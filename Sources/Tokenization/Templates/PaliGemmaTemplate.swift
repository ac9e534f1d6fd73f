/// PaliGemma's form: `{picture}<bos>{question}\n{answer}<eos>`, one question and one answer.
///
/// `PaliGemmaProcessor` of transformers (Beyer et al. 2024); the question's text follows the pictures and the start token.
public struct PaliGemmaTemplate: ChatTemplate {
    /// The name in recipes.
    public let name = "paligemma"
    /// Tokens that end an answer.
    public let stopTokens: [TemplateSegment.SpecialToken] = [.end]

    /// Makes the template.
    public init() {}

    /// The segments of a conversation, in order.
    public func segments(_ conversation: Conversation, openAnswer: Bool) throws -> [TemplateSegment] {
        let turns = conversation.dialogue
        guard turns.count == (openAnswer ? 1 : 2), let question = turns.first else {
            throw ConversationProblem.noCaption(template: name, turns: turns.count)
        }
        var segments = Array(repeating: TemplateSegment.image, count: question.imageCount)
        segments.append(.special(.beginning))
        var text = question.content.replacing(Conversation.imageMarker, with: "")[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        if let system = conversation.system, !system.isEmpty { text = "\(system)\n\(text)" }
        segments.append(.text(text + "\n"))
        if !openAnswer, let answer = turns.last {
            segments += TemplateSegment.split(answer.content, supervised: true)
            segments.append(.special(.end, supervised: true))
        }
        return segments
    }
}
