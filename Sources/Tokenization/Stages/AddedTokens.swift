import Basics

/// A token found in text before anything else happens to it.
struct AddedToken: Sendable, Equatable {
    var id: Int32
    var content: String
    /// Only where no word character stands beside it.
    var singleWord = false
    /// Takes the white space on its left with it.
    var stripsLeft = false
    /// Takes the white space on its right with it.
    var stripsRight = false
    /// Looked for in the normalized text, not in the text as written.
    var isNormalized = false
    var isSpecial = false
}

/// The added and special tokens of a tokenizer and how they are found in text.
///
/// Follows `tokenizer/added_vocabulary.rs` of the `tokenizers` library: longest match, from left to right, first in the
/// text as written and then, between those, in the normalized text.
struct AddedTokens: Sendable {
    private(set) var tokens: [AddedToken] = []
    private(set) var specialIDs: Set<Int32> = []
    private var plainFinder = TokenFinder()
    private var normalizedFinder = TokenFinder()

    /// One stretch of text, or a token in it.
    struct Match {
        var range: Range<Int>
        var id: Int32?
    }

    init(_ tokens: [AddedToken], normalizer: Normalizer?) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            if token.isSpecial { specialIDs.insert(token.id) }
            let bytes = Array(token.content.utf8)
            if token.isNormalized {
                normalizedFinder.insert(normalizer?.apply(bytes, at: .continuing) ?? bytes, index)
            } else {
                plainFinder.insert(bytes, index)
            }
        }
    }

    /// Reads `added_tokens`.
    static func read(_ reader: StageReader) throws -> [AddedToken] {
        guard reader["added_tokens"] != nil else { return [] }
        return try reader.readers("added_tokens").map { entry in
            let id = try entry.int("id")
            guard (0...Vocabulary.largestID).contains(id) else { throw entry.failure("id", "\(id) is out of range") }
            return try AddedToken(entry, id: Int32(id))
        }
    }

    /// Whether text can hold tokens that are found after normalizing.
    var hasNormalized: Bool { !normalizedFinder.isEmpty }

    /// Cuts text at the tokens that are looked for in it as written, or in its normalized form.
    ///
    /// - Parameter allowSpecial: whether special tokens count; otherwise they stay text.
    func split(_ text: UnsafeBufferPointer<UInt8>, normalized: Bool, allowSpecial: Bool) -> [Match] {
        let finder = normalized ? normalizedFinder : plainFinder
        var result: [Match] = []
        var open = 0
        var index = 0
        while let found = finder.next(in: text, from: index) {
            index = found.range.upperBound
            let token = tokens[found.token]
            if token.isSpecial, !allowSpecial { continue }
            var start = found.range.lowerBound
            var end = found.range.upperBound
            if token.singleWord, Self.isWord(before: start, in: text) || Self.isWord(at: end, in: text) { continue }
            if start < open { continue }
            if token.stripsLeft { start = Self.spaces(before: start, in: text, downTo: open) }
            if token.stripsRight { end = Self.spaces(after: end, in: text) }
            if open < start { result.append(Match(range: open..<start, id: nil)) }
            result.append(Match(range: start..<end, id: token.id))
            open = end
        }
        if open < text.count { result.append(Match(range: open..<text.count, id: nil)) }
        return result
    }

    private static func isWord(at index: Int, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        index < text.count && RegularExpression.isWord(CodePoints.decode(text, at: index).codePoint)
    }

    private static func isWord(before index: Int, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        var start = index - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return start >= 0 && RegularExpression.isWord(CodePoints.decode(text, at: start).codePoint)
    }

    private static func spaces(after index: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var end = index
        while end < text.count {
            let (codePoint, length) = CodePoints.decode(text, at: end)
            guard CharacterClass.of(codePoint).contains(.space) else { break }
            end += length
        }
        return end
    }

    private static func spaces(before index: Int, in text: UnsafeBufferPointer<UInt8>, downTo limit: Int) -> Int {
        var start = index
        while start > limit {
            var previous = start - 1
            while previous > limit, text[previous] & 0xC0 == 0x80 { previous -= 1 }
            guard CharacterClass.of(CodePoints.decode(text, at: previous).codePoint).contains(.space) else { break }
            start = previous
        }
        return start
    }
}

extension AddedToken {
    /// Reads a token's object as `tokenizer.json` and `tokenizer_config.json` write it.
    init(_ reader: StageReader, id: Int32) throws {
        let special = try reader.bool("special", default: false)
        self.init(
            id: id, content: try reader.string("content"),
            singleWord: try reader.bool("single_word", default: false),
            stripsLeft: try reader.bool("lstrip", default: false),
            stripsRight: try reader.bool("rstrip", default: false),
            isNormalized: try reader.bool("normalized", default: !special), isSpecial: special)
    }
}
