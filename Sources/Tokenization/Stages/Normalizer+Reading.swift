import Basics

extension Normalizer {
    /// Reads the stage from its JSON object.
    init(_ reader: StageReader) throws {
        let type = try reader.type()
        switch type {
        case "Sequence": self = .sequence(try reader.readers("normalizers").map(Normalizer.init))
        case "Prepend": self = .prepend(Array(try reader.string("prepend").utf8))
        case "Replace":
            self = .replace(try SplitPattern(reader, "pattern"), Array(try reader.string("content").utf8))
        case "NFC", "NFD", "NFKC", "NFKD": self = .unicode(UnicodeNormalization.Form(rawValue: type) ?? .nfc)
        case "Lowercase": self = .lowercase
        case "Strip":
            self = .strip(
                left: try reader.bool("strip_left", default: true), right: try reader.bool("strip_right", default: true)
            )
        case "StripAccents": self = .stripAccents
        case "BertNormalizer": self = .bert(try BertNormalizer(reader))
        case "Precompiled":
            let text = try reader.optionalString("precompiled_charsmap") ?? ""
            guard let bytes = Base64.decode(text) else {
                throw reader.failure("precompiled_charsmap", "is not base64", fix: "the file is damaged: get it again")
            }
            do {
                self = .precompiled(try CharacterMap(bytes, matching: .graphemes))
            } catch {
                throw reader.failure("precompiled_charsmap", error.reason, fix: "the file is damaged: get it again")
            }
        case "Nmt": self = .nmt
        case "ByteLevel": self = .byteLevel
        default: throw reader.unsupported(type, "normalizer")
        }
        try Growth.check(growth, reader)
    }
}

/// BERT's text cleaning (`BertNormalizer` of the `tokenizers` library).
struct BertNormalizer: Sendable {
    var cleansText: Bool
    var separatesChinese: Bool
    var stripsAccents: Bool
    var lowercases: Bool

    init(_ reader: StageReader) throws {
        cleansText = try reader.bool("clean_text", default: true)
        separatesChinese = try reader.bool("handle_chinese_chars", default: true)
        lowercases = try reader.bool("lowercase", default: true)
        // Not set means: as lowercasing.
        stripsAccents = try reader.bool("strip_accents", default: lowercases)
    }

    func apply(_ bytes: [UInt8]) -> [UInt8] {
        var text = bytes
        if cleansText || separatesChinese {
            var result: [UInt8] = []
            result.reserveCapacity(text.count)
            for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
                let codePoint = scalar.value
                if cleansText {
                    if BertCharacters.isRemoved(codePoint) { continue }
                    if CharacterClass.of(codePoint).contains(.space) {
                        result.append(0x20)
                        continue
                    }
                }
                let isChinese = separatesChinese && BertCharacters.isChinese(codePoint)
                if isChinese { result.append(0x20) }
                CodePoints.append(codePoint, to: &result)
                if isChinese { result.append(0x20) }
            }
            text = result
        }
        if stripsAccents {
            text = Normalizer.filtering(UnicodeNormalization.apply(.nfd, to: text)) { !BertCharacters.isAccent($0) }
        }
        return lowercases ? Normalizer.lowercased(text) : text
    }
}
