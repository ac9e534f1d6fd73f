extension Conversation {
    /// The conversation as LLaVA's training code changes it before rendering.
    ///
    /// Answers in front of the first question are dropped (`preprocess_v1` skips them), and in each turn the pictures
    /// move to the front, one line each, the rest trimmed (`preprocess_multimodal` of LLaVA's `train.py`; unlike there a
    /// turn with several markers keeps all of them).
    public func normalizedAsInLLaVA() -> Conversation {
        let leading = dialogue.prefix { $0.role == .assistant }.count
        let kept = dialogue.dropFirst(leading)
        var result = turns.first?.role == .system ? [turns[0]] : []
        result += kept.map { turn in
            let count = turn.imageCount
            guard count > 0 else { return turn }
            let rest = TemplateSegment.split(turn.content).map(\.plainText).joined()
            let front = String(repeating: Self.imageMarker + "\n", count: count)
            return Turn(role: turn.role, content: String((front + rest.trimmed()).trimmedEnd()))
        }
        return Conversation(result)
    }
}

extension StringProtocol {
    /// Without white space at both ends, as Python's `str.strip`.
    func trimmed() -> String {
        var scalars = Substring(self).unicodeScalars
        while let first = scalars.first, Self.isSpace(first) { scalars.removeFirst() }
        return String(Substring(scalars)).trimmedEnd()
    }

    /// Without white space at the end, as Python's `str.rstrip`.
    func trimmedEnd() -> String {
        var scalars = Substring(self).unicodeScalars
        while let last = scalars.last, Self.isSpace(last) { scalars.removeLast() }
        return String(Substring(scalars))
    }

    /// Python also strips the four information separators U+001C to U+001F.
    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
}
