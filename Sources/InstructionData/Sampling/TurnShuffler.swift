import Basics
public import Tokenization

/// Puts the independent questions about one picture into another order each epoch, and can show only some of them.
///
/// The system turn stays first, and markers stay before the first question shown. A conversation whose markers stand
/// in several turns, or inside a question's text, is left as it is, since its questions are not independent.
public struct TurnShuffler: Sendable {
    /// The seed of the order.
    public var seed: UInt64
    /// How many exchanges are shown at most; all when nil. Shown ones change from epoch to epoch.
    public var limit: Int?

    /// Shuffles all turns by default.
    public init(seed: UInt64, limit: Int? = nil) {
        self.seed = seed
        self.limit = limit
    }

    /// The conversation as this epoch shows it.
    public func arranged(_ conversation: Conversation, index: SampleIndex) -> Conversation {
        var turns = conversation.turns[...]
        let system = turns.first?.role == .system ? turns.popFirst() : nil
        guard turns.count >= 4, turns.count % 2 == 0, let (markers, first) = Self.leadingMarkers(turns) else {
            return conversation
        }
        var exchanges: ContiguousArray<(question: String, answer: String)> = []
        for start in stride(from: turns.startIndex, to: turns.endIndex, by: 2) {
            let question = start == turns.startIndex ? first : turns[start].content
            exchanges.append((question, turns[start + 1].content))
        }
        var generator = RandomGenerator(
            seed: seed,
            stream: RandomStream.mixed(
                RandomStream.turns, UInt64(index.component), UInt64(index.record), UInt64(index.epoch)))
        generator.shuffle(&exchanges)
        var arranged: [Turn] = system.map { [$0] } ?? []
        for (position, exchange) in exchanges.prefix(limit ?? exchanges.count).enumerated() {
            let question = position == 0 ? markers + exchange.question : exchange.question
            arranged.append(Turn(role: .user, content: question))
            arranged.append(Turn(role: .assistant, content: exchange.answer))
        }
        return Conversation(arranged)
    }

    /// Splits the first question into its leading markers and the rest; nil when markers stand anywhere else.
    private static func leadingMarkers(_ turns: ArraySlice<Turn>) -> (markers: String, rest: String)? {
        let marker = Conversation.imageMarker
        guard let content = turns.first?.content else { return nil }
        var rest = content[...]
        var markers = ""
        while rest.hasPrefix(marker) {
            markers += marker
            rest = rest.dropFirst(marker.count)
            while let next = rest.first, next == "\n" || next == " " {
                markers.append(next)
                rest = rest.dropFirst()
            }
        }
        guard !rest.isEmpty, String(rest).firstRange(ofUTF8: marker) == nil,
            turns.dropFirst().allSatisfy({ $0.content.firstRange(ofUTF8: marker) == nil })
        else { return nil }
        return (markers, String(rest))
    }
}
