/// How many times as long a text may become by what a `tokenizer.json` makes of it. Each stage of a chain multiplies what the ones
/// before have written, so that a file of some kilobytes could ask for any amount of memory.
enum Growth {
    /// More than any tokenizer needs: SentencePiece's table, the widest stage in use, makes 11 bytes of one, and few have a second one.
    static let most = 10_000.0

    /// - Throws: a problem that names the stage, when it could make more of a text.
    static func check(_ growth: Double, _ reader: StageReader) throws {
        guard growth > most else { return }
        throw reader.failure("type", "could make a text over 10,000 times as long", fix: "get the file from its source")
    }

    /// Of every match, which is never empty, `content` is made.
    static func replacing(_ pattern: SplitPattern, _ content: [UInt8]) -> Double {
        var least = 1
        if case .literal(let text) = pattern { least = max(1, text.count) }
        return max(1, Double(content.count) / Double(least))
    }
}

extension Normalizer {
    /// Bytes of the longest text that it makes of one byte.
    var growth: Double {
        switch self {
        case .sequence(let stages): stages.reduce(1) { $0 * $1.growth }
        case .prepend(let prefix), .prependAtStart(let prefix): 1 + Double(prefix.count)
        case .replace(let pattern, let content): Growth.replacing(pattern, content)
        // U+FDFA has 3 bytes and decomposes into 33; nothing grows more.
        case .unicode, .stripAccents: 11
        case .bert: 11 * 3
        case .lowercase: 2
        case .precompiled(let map): Double(max(1, map.longestReplacement))
        case .byteLevel: 2
        case .strip, .nmt, .collapseSpaces: 1
        }
    }
}

extension TokenDecoder {
    /// Bytes of the longest text that it makes of one byte of a token.
    var growth: Double {
        switch self {
        case .sequence(let stages): stages.reduce(1) { $0 * $1.growth }
        case .replace(let pattern, let content): Growth.replacing(pattern, content)
        case .byteLevel, .byteFallback, .metaspace: 3
        case .wordPiece, .bpe: 2
        case .fuse, .strip: 1
        }
    }
}
