/// A small backtracking regular-expression matcher over UTF-8 bytes, for split patterns that have no hand-written one.
///
/// The syntax is the part of Oniguruma's that tokenizers use: classes with categories, groups, alternatives, greedy, lazy
/// and possessive repetition, look-ahead and look-behind of one character, anchors, `(?i)`. Anything else is an error
/// that names it. Matching stops after a number of steps that grows with the text, so that no pattern hangs.
struct RegularExpression: Sendable {
    let source: String
    let program: [Instruction]

    /// What is wrong with a pattern.
    struct SyntaxError: Error, CustomStringConvertible {
        let reason: String
        let position: Int
        var description: String { "regular expression, character \(position + 1): \(reason)" }
    }

    /// One step of the matcher.
    indirect enum Instruction: Sendable {
        case set(CodePointSet)
        /// Greedy or possessive run of one set, or a lazy one.
        case run(CodePointSet, min: Int, max: Int, Repetition)
        /// Continue at the first, and at the second when that fails.
        case split(Int, Int)
        case jump(Int)
        case look([Instruction], isNegative: Bool)
        case lookBehind(CodePointSet, isNegative: Bool)
        case atomic([Instruction])
        case textStart
        case textEnd
        case lineStart
        case lineEnd
        case wordBoundary(isNegative: Bool)
        case match
    }

    enum Repetition: Sendable { case greedy, lazy, possessive }

    init(_ source: String) throws(SyntaxError) {
        self.source = source
        var parser = RegexParser(source)
        let node = try parser.parse()
        program = try RegexCompiler.compile(node)
    }

    static func isWord(_ codePoint: UInt32) -> Bool {
        // Rust's \w, for the `Whitespace` stage: with the two join controls, without Oniguruma's Latin-1 numbers.
        if codePoint == 0x200C || codePoint == 0x200D { return true }
        return CodePointSet.word.contains(codePoint) && !(0xB2...0xBE).contains(codePoint)
            || codePoint == 0xB5 || codePoint == 0xBA
    }

    /// Calls `body` with each match, left to right; empty matches are left out.
    func forEachMatch(in bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        var matcher = RegexMatcher(bytes: bytes)
        var index = 0
        while index < bytes.count {
            if let end = matcher.match(program, from: index), end > index {
                body(index..<end)
                index = end
            } else {
                index += CodePoints.length(bytes[index])
            }
        }
    }
}
