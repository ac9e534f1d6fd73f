import Basics

/// Turns token strings back into text (`decoder` of `tokenizer.json`).
indirect enum TokenDecoder: Sendable {
    case sequence([TokenDecoder])
    case byteLevel
    case byteFallback
    case fuse
    case replace(SplitPattern, [UInt8])
    case strip(UInt32, start: Int, stop: Int)
    case metaspace(Metaspace)
    case wordPiece(prefix: [UInt8], cleansUp: Bool)
    case bpe(suffix: [UInt8])

    /// One step over all tokens; joining the result gives the text.
    func apply(_ tokens: [[UInt8]]) -> [[UInt8]] {
        switch self {
        case .sequence(let stages): return stages.reduce(tokens) { $1.apply($0) }
        case .byteLevel: return [Self.repaired(tokens.flatMap(Self.rawBytes))]
        case .byteFallback: return Self.byteFallback(tokens)
        case .fuse: return [tokens.flatMap { $0 }]
        case .replace(let pattern, let content):
            let normalizer = Normalizer.replace(pattern, content)
            return tokens.map { normalizer.apply($0, at: .start) }
        case .strip(let character, let start, let stop): return tokens.map { Self.strip($0, character, start, stop) }
        case .metaspace(let metaspace): return Self.decode(tokens, metaspace)
        case .wordPiece(let prefix, let cleansUp): return Self.wordPieces(tokens, prefix, cleansUp)
        case .bpe(let suffix):
            return tokens.enumerated().map { index, token in
                let replacement: [UInt8] = index + 1 == tokens.count ? [] : [0x20]
                return Normalizer.replace(.literal(suffix), replacement).apply(token, at: .start)
            }
        }
    }

    /// The bytes that a byte-level token stands for; its own when a character is not of the alphabet.
    private static func rawBytes(_ token: [UInt8]) -> [UInt8] {
        ByteAlphabet.bytes(of: String(decoding: token, as: UTF8.self)) ?? token
    }

    /// Invalid UTF-8 as U+FFFD, each longest invalid start of a character as one.
    static func repaired(_ bytes: [UInt8]) -> [UInt8] { Array(String(decoding: bytes, as: UTF8.self).utf8) }

    /// `<0xE2>` as bytes; a run of them that is no valid UTF-8 becomes one U+FFFD a byte.
    private static func byteFallback(_ tokens: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        func flush() {
            guard !run.isEmpty else { return }
            if String(validating: run, as: UTF8.self) != nil {
                result.append(run)
            } else {
                result += run.map { _ in Array("\u{FFFD}".utf8) }
            }
            run.removeAll()
        }
        for token in tokens {
            if let byte = byteValue(token) {
                run.append(byte)
            } else {
                flush()
                result.append(token)
            }
        }
        flush()
        return result
    }

    static func byteValue(_ token: [UInt8]) -> UInt8? {
        guard token.count == 6, token.starts(with: Array("<0x".utf8)), token[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
    }

    private static func strip(_ token: [UInt8], _ character: UInt32, _ start: Int, _ stop: Int) -> [UInt8] {
        var scalars = Substring(decoding: token, as: UTF8.self).unicodeScalars
        for _ in 0..<max(0, min(start, token.count)) {
            guard scalars.first?.value == character else { break }
            scalars.removeFirst()
        }
        for _ in 0..<max(0, min(stop, token.count)) {
            guard scalars.last?.value == character else { break }
            scalars.removeLast()
        }
        return Array(Substring(scalars).utf8)
    }

    private static func decode(_ tokens: [[UInt8]], _ metaspace: Metaspace) -> [[UInt8]] {
        let toSpace = Normalizer.replace(.literal(metaspace.replacement), [0x20])
        return tokens.enumerated().map { index, token in
            // The library drops every blank of the first token, not only the one in front.
            let drops = index == 0 && metaspace.prepend != .never
            return (drops ? Normalizer.replace(.literal(metaspace.replacement), []) : toSpace).apply(token, at: .start)
        }
    }

    private static func wordPieces(_ tokens: [[UInt8]], _ prefix: [UInt8], _ cleansUp: Bool) -> [[UInt8]] {
        tokens.enumerated().map { index, token in
            var piece = token
            if index > 0 {
                piece = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [0x20] + token
            }
            return cleansUp ? Array(SpaceCleanup.apply(String(decoding: piece, as: UTF8.self)).utf8) : piece
        }
    }
}

extension TokenDecoder {
    /// Reads the stage from its JSON object.
    init(_ reader: StageReader) throws {
        let type = try reader.type()
        switch type {
        case "Sequence": self = .sequence(try reader.readers("decoders").map(TokenDecoder.init))
        case "ByteLevel": self = .byteLevel
        case "ByteFallback": self = .byteFallback
        case "Fuse": self = .fuse
        case "Replace":
            self = .replace(try SplitPattern(reader, "pattern"), Array(try reader.string("content").utf8))
        case "Strip":
            let characters = CodePoints.of(try reader.string("content"))
            guard characters.count == 1 else { throw reader.failure("content", "expected one character") }
            self = .strip(
                characters[0], start: try reader.int("start", default: 0), stop: try reader.int("stop", default: 0))
        case "Metaspace": self = .metaspace(try Metaspace(reader))
        case "WordPiece":
            self = .wordPiece(
                prefix: Array((try reader.optionalString("prefix") ?? "##").utf8),
                cleansUp: try reader.bool("cleanup", default: true))
        case "BPEDecoder": self = .bpe(suffix: Array((try reader.optionalString("suffix") ?? "</w>").utf8))
        default: throw reader.unsupported(type, "decoder")
        }
        try Growth.check(growth, reader)
    }
}

/// `clean_up_tokenization` of `transformers`: no space before punctuation and English contractions.
enum SpaceCleanup {
    private static let replacements: [(String, String)] = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]

    static func apply(_ text: String) -> String {
        var bytes = Array(text.utf8)
        for (from, to) in replacements {
            bytes = Normalizer.replace(.literal(Array(from.utf8)), Array(to.utf8)).apply(bytes, at: .start)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
