/// LLaVA's first-stage template: the picture and its caption, no question, no end token but a newline.
///
/// `preprocess_plain` of LLaVA's `train.py`: the text is `<image>` + caption + newline, loss on caption and newline.
public struct PlainTemplate: ChatTemplate {
    /// The name in recipes.
    public let name = "plain"
    /// Tokens that end an answer.
    public let stopTokens: [TemplateSegment.SpecialToken] = []
    /// Text that ends an answer.
    public let stopStrings = ["\n"]

    /// Makes the template.
    public init() {}

    /// The segments of a conversation, in order.
    public func segments(_ conversation: Conversation, openAnswer: Bool) throws -> [TemplateSegment] {
        let turns = conversation.dialogue
        guard turns.count == (openAnswer ? 1 : 2), let question = turns.first else {
            throw ConversationProblem.noCaption(template: name, turns: turns.count)
        }
        var segments: [TemplateSegment] = [.start]
        segments += Array(repeating: .image, count: question.imageCount)
        if !openAnswer, let caption = turns.last {
            segments += TemplateSegment.split(caption.content + "\n", supervised: true)
        }
        return segments
    }
}
