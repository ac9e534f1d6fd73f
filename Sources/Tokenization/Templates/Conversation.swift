/// Who speaks in a turn.
public enum Role: String, Sendable, Codable, CaseIterable {
    case system, user, assistant
}

/// One message of a conversation.
public struct Turn: Sendable, Equatable {
    /// Who speaks.
    public var role: Role
    /// The text; `<image>` (``Conversation/imageMarker``) stands where a picture's tokens go.
    public var content: String

    /// Makes a turn.
    public init(role: Role, content: String) {
        self.role = role
        self.content = content
    }

    /// Number of `<image>` markers in the text.
    public var imageCount: Int { TemplateSegment.split(content).count { $0 == .image } }
}

/// Turns in order: at most one system turn in front, then user and assistant alternately.
public struct Conversation: Sendable, Equatable {
    /// What stands for a picture in a turn's text, as in LLaVA's data.
    public static let imageMarker = "<image>"

    /// The turns in order.
    public var turns: [Turn]

    /// Makes a conversation of turns.
    public init(_ turns: [Turn]) {
        self.turns = turns
    }

    /// Number of `<image>` markers in all turns.
    public var imageCount: Int { turns.reduce(0) { $0 + $1.imageCount } }

    /// The system turn's text, nil when the conversation brings none of its own.
    public var system: String? { turns.first?.role == .system ? turns[0].content : nil }

    /// The turns after the system turn.
    public var dialogue: ArraySlice<Turn> { turns.first?.role == .system ? turns.dropFirst() : turns[...] }

    /// Checks the order of roles.
    ///
    /// - Throws: `ConversationProblem` naming the turn that is out of order.
    public func validate() throws(ConversationProblem) {
        guard !turns.isEmpty else { throw .empty }
        let offset = turns.count - dialogue.count
        for (index, turn) in dialogue.enumerated() {
            let expected: Role = index % 2 == 0 ? .user : .assistant
            guard turn.role == expected else {
                throw .outOfOrder(turn: offset + index, found: turn.role, expected: expected)
            }
        }
        guard !dialogue.isEmpty else { throw .empty }
    }
}
