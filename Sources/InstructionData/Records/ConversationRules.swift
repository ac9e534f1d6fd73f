import Basics
import Tokenization

/// The shape that every conversation has once read: an optional system turn, then user and assistant in alternation,
/// ending with an answer, no answer empty, and as many `<image>` markers (all in questions) as pictures.
struct ConversationRules {
    /// Whether faults are repaired where that is possible, instead of thrown.
    var lenient: Bool

    /// Checks a conversation, and repairs it when lenient.
    ///
    /// LLaVA's habit is accepted without counting as a repair: a record with pictures and no marker at all gets
    /// its markers before the first question.
    /// - Throws: `RecordFault` naming the turn (counted from 1).
    func apply(
        to turns: [Turn], imageCount: Int, repairs: inout [Repair]
    ) throws(RecordFault) -> [Turn] {
        guard !turns.isEmpty else {
            throw RecordFault(
                "the conversation has no turns", fix: "remove the record, or give it a question and an answer")
        }
        var checked = lenient ? repairedOrder(of: turns, repairs: &repairs) : turns
        try checkOrder(of: checked)
        checked = try placeMarkers(in: checked, imageCount: imageCount, repairs: &repairs)
        return checked
    }

    // MARK: - Order of turns

    private func checkOrder(of turns: [Turn]) throws(RecordFault) {
        var expected = Role.user
        for (index, turn) in turns.enumerated() {
            var place: String { "turn \(index + 1)" }
            if turn.role == .system {
                if index == 0 { continue }
                throw RecordFault(
                    "\(place) is a system turn", fix: "put the system turn first, or pass --lenient to drop it")
            }
            if turn.role != expected {
                let name = turn.role == .user ? "user" : "assistant"
                let started = turns[..<index].contains { $0.role != .system }
                throw RecordFault(
                    started
                        ? "\(place): two \(name) turns in a row"
                        : "\(place): the conversation begins with an answer",
                    fix: started
                        ? "join them, or pass --lenient to have them joined"
                        : "begin with a user turn, or pass --lenient to drop the answer")
            }
            if turn.content.isBlank {
                let name = turn.role == .user ? "question" : "answer"
                throw RecordFault(
                    "\(place): the \(name) is empty", fix: "fill it in, or pass --lenient to drop the exchange")
            }
            expected = turn.role == .user ? .assistant : .user
        }
        if turns.last?.role != .assistant {
            throw RecordFault(
                "the conversation ends without an answer",
                fix: "add the assistant's turn, or pass --lenient to drop the last question")
        }
    }

    private func repairedOrder(of turns: [Turn], repairs: inout [Repair]) -> [Turn] {
        var result: [Turn] = []
        for (index, turn) in turns.enumerated() {
            if turn.role == .system {
                if index == 0 { result.append(turn) } else { repairs.append(.droppedLateSystemTurn) }
                continue
            }
            let last = result.last
            if turn.role == .assistant, last == nil || last?.role == .system {
                repairs.append(.droppedLeadingAnswer)
            } else if let last, last.role == turn.role {
                repairs.append(.joinedTurns)
                let parts = [last.content, turn.content].filter { !$0.isBlank }
                result[result.count - 1] = Turn(role: turn.role, content: parts.joined(separator: "\n"))
            } else {
                result.append(turn)
            }
        }
        if result.last?.role == .user {
            repairs.append(.droppedTrailingQuestion)
            result.removeLast()
        }
        return droppingEmptyExchanges(result, repairs: &repairs)
    }

    /// Drops exchanges with an empty side; the markers of a dropped question move to the next one.
    private func droppingEmptyExchanges(_ turns: [Turn], repairs: inout [Repair]) -> [Turn] {
        var result: [Turn] = []
        var carriedMarkers = 0
        var index = 0
        while index < turns.count {
            guard turns[index].role == .user, index + 1 < turns.count else {
                result.append(turns[index])
                index += 1
                continue
            }
            let (question, answer) = (turns[index], turns[index + 1])
            if question.content.isBlank || answer.content.isBlank {
                carriedMarkers += question.content.count(ofUTF8: Conversation.imageMarker)
                repairs.append(.droppedEmptyAnswer)
            } else {
                result.append(Turn(role: .user, content: Self.markers(carriedMarkers) + question.content))
                result.append(answer)
                carriedMarkers = 0
            }
            index += 2
        }
        return result
    }

    // MARK: - Markers

    private func placeMarkers(
        in turns: [Turn], imageCount: Int, repairs: inout [Repair]
    ) throws(RecordFault) -> [Turn] {
        var turns = turns
        let marker = Conversation.imageMarker
        for index in turns.indices where turns[index].role != .user {
            guard turns[index].content.count(ofUTF8: marker) > 0 else { continue }
            guard lenient else {
                let name = turns[index].role == .system ? "system turn" : "answer"
                throw RecordFault(
                    "turn \(index + 1): \(marker) stands in an \(name)",
                    fix: "move the marker to a user turn, or pass --lenient to remove it")
            }
            repairs.append(.removedMarkersFromAnswer)
            let content = turns[index].content.replacing(utf8: marker, with: "").trimmed
            if content.isEmpty {
                throw RecordFault("turn \(index + 1): the answer is only a picture", fix: "remove the record")
            }
            turns[index] = Turn(role: turns[index].role, content: content)
        }
        let found = turns.reduce(0) { $0 + $1.content.count(ofUTF8: marker) }
        guard found != imageCount else { return turns }
        guard let first = turns.firstIndex(where: { $0.role == .user }) else {
            throw RecordFault("the conversation has no question", fix: "remove the record")
        }
        if found == 0 || (lenient && found < imageCount) {
            if found > 0 { repairs.append(.addedMarkers) }
            let missing = Self.markers(imageCount - found)
            turns[first] = Turn(role: .user, content: missing + turns[first].content)
            return turns
        }
        guard lenient else {
            throw RecordFault(
                "\(found.counted("\(marker) marker")) for \(imageCount.counted("picture"))",
                fix: "make them equal, or pass --lenient to add or remove markers")
        }
        repairs.append(.removedMarkers)
        return try removingMarkers(after: imageCount, in: turns)
    }

    private func removingMarkers(after kept: Int, in turns: [Turn]) throws(RecordFault) -> [Turn] {
        let marker = Conversation.imageMarker
        var left = kept
        var result: [Turn] = []
        for (index, turn) in turns.enumerated() {
            var rest = turn.content
            var content = ""
            while let range = rest.firstRange(ofUTF8: marker) {
                content += rest[..<range.lowerBound]
                var tail = String(rest[range.upperBound...])
                if left > 0 {
                    left -= 1
                    content += marker
                } else if tail.utf8.first == 10 {
                    tail.removeFirst()
                }
                rest = tail
            }
            content += rest
            if content.isBlank {
                throw RecordFault("turn \(index + 1): nothing is left without its markers", fix: "remove the record")
            }
            result.append(Turn(role: turn.role, content: content))
        }
        return result
    }

    private static func markers(_ count: Int) -> String {
        String(repeating: Conversation.imageMarker + "\n", count: max(0, count))
    }
}
