public import Basics

/// Why a conversation cannot be rendered.
public enum ConversationProblem: Problem, Equatable {
    case empty
    case outOfOrder(turn: Int, found: Role, expected: Role)
    /// Pictures given and `<image>` markers in the text differ in number.
    case imageCount(markers: Int, images: Int)
    case noAnswer(template: String)
    case noCaption(template: String, turns: Int)
    /// The template needs a token that the tokenizer lacks.
    case missingToken(String, template: String)

    /// What is wrong, and where.
    public var problem: String {
        switch self {
        case .empty: "the conversation has no turns"
        case .outOfOrder(let turn, let found, let expected):
            "turn \(turn) is of role \(found.rawValue) where \(expected.rawValue) is expected"
        case .imageCount(let markers, let images):
            "the text has \(markers.counted("<image> marker")) for \(images.counted("picture"))"
        case .noAnswer(let template): "template \(template): the conversation has no answer to learn from"
        case .noCaption(let template, let turns):
            "template \(template) takes one question with <image> and one caption, this conversation has \(turns.counted("turn"))"
        case .missingToken(let token, let template):
            "template \(template) needs the token \(token), which this tokenizer does not have"
        }
    }

    /// What to do about it.
    public var fix: String? {
        switch self {
        case .empty: "remove the record or give it a question and an answer"
        case .outOfOrder: "user and assistant turns alternate, the user first; at most one system turn in front"
        case .imageCount: "write <image> once for each picture, in the order of the pictures"
        case .noAnswer: "end the conversation with an assistant turn"
        case .noCaption: "use another template for conversations of several turns"
        case .missingToken: "choose the template that the model was trained with, or add the token to the tokenizer"
        }
    }

    /// Problem and fix in one line.
    public var description: String { fix.map { "\(problem) (fix: \($0))" } ?? problem }
}
