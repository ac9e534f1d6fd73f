/// SentencePiece's spaces: each space becomes `▁`, one more is put in front, and words are cut before it.
struct Metaspace: Sendable {
    enum PrependScheme: String, Sendable {
        case always, first, never
    }

    var replacement: [UInt8]
    var prepend: PrependScheme
    var split: Bool

    static let blank = Array("\u{2581}".utf8)

    init(replacement: [UInt8] = Metaspace.blank, prepend: PrependScheme = .always, split: Bool = true) {
        self.replacement = replacement
        self.prepend = prepend
        self.split = split
    }

    init(_ reader: StageReader) throws {
        let character = try reader.optionalString("replacement") ?? "\u{2581}"
        guard character.unicodeScalars.count == 1 else {
            throw reader.failure("replacement", "expected one character")
        }
        var scheme = PrependScheme.always
        if let name = try reader.optionalString("prepend_scheme") {
            guard let named = PrependScheme(rawValue: name) else {
                throw reader.failure("prepend_scheme", "\"\(name)\" is none of always, first, never")
            }
            scheme = named
        } else if try !reader.bool("add_prefix_space", default: true) {
            scheme = .never
        }
        self.init(
            replacement: Array(character.utf8), prepend: scheme, split: try reader.bool("split", default: true))
    }

    func apply(_ list: inout PieceList, at position: TextPosition) {
        let blank = replacement
        let whole = list.pieces.first
        list.rewriteEach { index, bytes, piece, output in
            let isFirst = index == 0 && position == .start && piece == whole && piece.lowerBound == 0
            let prepends = position != .continuing && (prepend == .always || (prepend == .first && isFirst))
            let startsWithBlank = bytes[piece.lowerBound] == 0x20 || bytes[piece].starts(with: blank)
            if prepends, !startsWithBlank { output += blank }
            for byte in bytes[piece] {
                if byte == 0x20 { output += blank } else { output.append(byte) }
            }
        }
        guard split else { return }
        list.splitEach { bytes, piece, result in
            var start = piece.lowerBound
            var index = start
            while index < piece.upperBound {
                if index > start, bytes[index] == blank[0], bytes[index..<piece.upperBound].starts(with: blank) {
                    result.append(start..<index)
                    start = index
                }
                index += CodePoints.length(bytes[index])
            }
            result.append(start..<piece.upperBound)
        }
    }
}
