import Basics

/// What a `Split` stage looks for.
enum SplitPattern: Sendable {
    case literal([UInt8])
    /// A pattern that has a hand-written matcher and covers every character.
    case words(WordPattern)
    /// Runs of word characters or of other non-space characters: `\w+|[^\w\s]+`.
    case wordCharacters
    case expression(RegularExpression)

    static let words = SplitPattern.wordCharacters

    /// Reads `{"String": …}` or `{"Regex": …}`.
    init(_ reader: StageReader, _ key: String) throws {
        guard let pattern = try reader.reader(key) else { throw reader.failure(key, "is missing") }
        if let text = try pattern.optionalString("String") {
            self = .literal(Array(text.utf8))
            return
        }
        let source = try pattern.string("Regex")
        if let known = WordPattern.known(source) {
            self = .words(known)
            return
        }
        do {
            self = .expression(try RegularExpression(source))
        } catch {
            throw pattern.failure("Regex", error.description, fix: "report this tokenizer")
        }
    }

    func split(_ list: inout PieceList, _ behavior: SplitBehavior, invert: Bool) {
        if case .words(let pattern) = self, behavior == .isolated || (behavior == .removed && invert) {
            list.splitEach(pattern.split)
            return
        }
        var parts: [(range: Range<Int>, isMatch: Bool)] = []
        list.splitEach { bytes, piece, result in
            parts.removeAll(keepingCapacity: true)
            var plain = piece.lowerBound
            forEachMatch(UnsafeBufferPointer(rebasing: bytes[piece])) { match in
                let start = match.lowerBound + piece.lowerBound
                let end = match.upperBound + piece.lowerBound
                if plain < start { parts.append((plain..<start, invert)) }
                parts.append((start..<end, !invert))
                plain = end
            }
            if plain < piece.upperBound { parts.append((plain..<piece.upperBound, invert)) }
            behavior.combine(parts, into: &result)
        }
    }

    /// Calls `body` with each match in a text, from left to right; matches do not overlap and none is empty.
    func forEachMatch(_ bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        switch self {
        case .literal(let text):
            guard !text.isEmpty else { return }
            var index = 0
            while index + text.count <= bytes.count {
                if bytes[index] == text[0], bytes[index..<index + text.count].elementsEqual(text) {
                    body(index..<index + text.count)
                    index += text.count
                } else {
                    index += 1
                }
            }
        case .words(let pattern):
            var words: [Range<Int>] = []
            pattern.split(bytes, 0..<bytes.count, into: &words)
            words.forEach(body)
        case .wordCharacters:
            var index = 0
            while index < bytes.count {
                let (kind, length) = Self.kind(bytes, index)
                var end = index + length
                while kind != .space, end < bytes.count {
                    let (next, nextLength) = Self.kind(bytes, end)
                    if next != kind { break }
                    end += nextLength
                }
                if kind != .space { body(index..<end) }
                index = end
            }
        case .expression(let expression):
            expression.forEachMatch(in: bytes, body)
        }
    }

    private enum Kind { case space, word, other }

    private static func kind(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int) -> (Kind, Int) {
        let (codePoint, length) = CodePoints.decode(bytes, at: index)
        let flags = CharacterClass.of(codePoint)
        if flags.contains(.space) { return (.space, length) }
        return (RegularExpression.isWord(codePoint) ? .word : .other, length)
    }
}
