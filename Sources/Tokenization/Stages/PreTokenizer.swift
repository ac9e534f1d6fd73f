/// Cuts normalized text into the pieces that the model tokenizes one by one (`pre_tokenizer` of `tokenizer.json`).
indirect enum PreTokenizer: Sendable {
    case sequence([PreTokenizer])
    /// Cuts by the GPT-2 pattern when asked; the bytes stand for the characters of `ByteAlphabet`.
    ///
    /// `spellsOut` is set when a later stage or the model looks at those characters; then they are written, otherwise
    /// the model takes the bytes as they are.
    case byteLevel(addPrefixSpace: Bool, useRegex: Bool, spellsOut: Bool)
    case split(SplitPattern, SplitBehavior, invert: Bool)
    case digits(individual: Bool)
    case punctuation(SplitBehavior)
    /// `\w+|[^\w\s]+`
    case whitespace
    case whitespaceSplit
    case bert
    case metaspace(Metaspace)

    /// Runs the stage over the pieces of a text.
    func apply(_ list: inout PieceList, at position: TextPosition) {
        switch self {
        case .sequence(let stages):
            for stage in stages { stage.apply(&list, at: position) }
        case .byteLevel(let addPrefixSpace, let useRegex, let spellsOut):
            if addPrefixSpace, position != .continuing { Self.addPrefixSpace(&list) }
            if useRegex { list.splitEach(WordPattern.gpt2.split) }
            if spellsOut {
                list.rewriteEach { _, bytes, piece, output in
                    for byte in bytes[piece] { output += ByteAlphabet.spelling[Int(byte)] }
                }
            }
        case .split(let pattern, let behavior, let invert):
            pattern.split(&list, behavior, invert: invert)
        case .digits(let individual):
            Self.split(&list, individual ? .isolated : .contiguous) { $0 & CharacterClass.number.rawValue != 0 }
        case .punctuation(let behavior):
            Self.splitByCodePoint(&list, behavior, BertCharacters.isPunctuation)
        case .whitespace:
            SplitPattern.words.split(&list, .removed, invert: true)
        case .whitespaceSplit:
            Self.split(&list, .removed) { $0 & CharacterClass.space.rawValue != 0 }
        case .bert:
            Self.split(&list, .removed) { $0 & CharacterClass.space.rawValue != 0 }
            Self.splitByCodePoint(&list, .isolated, BertCharacters.isPunctuation)
        case .metaspace(let metaspace):
            metaspace.apply(&list, at: position)
        }
    }

    /// Splits at characters whose class flags satisfy a condition.
    private static func split(_ list: inout PieceList, _ behavior: SplitBehavior, _ matches: (UInt8) -> Bool) {
        let table = CharacterClass.table.bytes
        splitByCodePoint(&list, behavior) { matches(table[Int($0)]) }
    }

    private static func splitByCodePoint(
        _ list: inout PieceList, _ behavior: SplitBehavior, _ matches: (UInt32) -> Bool
    ) {
        var parts: [(range: Range<Int>, isMatch: Bool)] = []
        list.splitEach { bytes, piece, result in
            parts.removeAll(keepingCapacity: true)
            var index = piece.lowerBound
            var plain = index
            while index < piece.upperBound {
                let (codePoint, length) = CodePoints.decode(bytes, at: index)
                if matches(codePoint) {
                    if plain < index { parts.append((plain..<index, false)) }
                    parts.append((index..<index + length, true))
                    plain = index + length
                }
                index += length
            }
            if plain < piece.upperBound { parts.append((plain..<piece.upperBound, false)) }
            behavior.combine(parts, into: &result)
        }
    }

    private static func addPrefixSpace(_ list: inout PieceList) {
        let startsWithSpace = list.pieces.allSatisfy { list.bytes[$0.lowerBound] == 0x20 }
        guard !startsWithSpace else { return }
        list.rewriteEach { _, bytes, piece, output in
            if bytes[piece.lowerBound] != 0x20 { output.append(0x20) }
            output.append(contentsOf: bytes[piece])
        }
    }
}
