/// Rewrites text before it is cut (`normalizer` of `tokenizer.json`).
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case prepend([UInt8])
    /// Only in front of a whole text, not behind special tokens in it.
    case prependAtStart([UInt8])
    case replace(SplitPattern, [UInt8])
    case unicode(UnicodeNormalization.Form)
    case lowercase
    case strip(left: Bool, right: Bool)
    case stripAccents
    case bert(BertNormalizer)
    /// SentencePiece's own table of replacements.
    case precompiled(CharacterMap)
    /// The white-space rules of SentencePiece's `nmt_nfkc`.
    case nmt
    /// Each byte as GPT-2's character for it.
    case byteLevel
    /// Runs of spaces as one, none at the ends (SentencePiece's `remove_extra_whitespaces`).
    case collapseSpaces

    /// The text after this stage.
    ///
    /// - Parameter position: nothing is put in front of text that continues other text.
    func apply(_ bytes: [UInt8], at position: TextPosition) -> [UInt8] {
        switch self {
        case .sequence(let stages): return stages.reduce(bytes) { $1.apply($0, at: position) }
        case .prepend(let prefix): return bytes.isEmpty || position == .continuing ? bytes : prefix + bytes
        case .prependAtStart(let prefix): return bytes.isEmpty || position != .start ? bytes : prefix + bytes
        case .replace(let pattern, let content): return Self.replacing(bytes, pattern, content)
        case .unicode(let form): return UnicodeNormalization.apply(form, to: bytes)
        case .lowercase: return Self.lowercased(bytes)
        case .strip(let left, let right): return Self.stripping(bytes, left: left, right: right)
        case .stripAccents: return Self.filtering(bytes) { !UnicodeNormalization.isMark($0) }
        case .bert(let rules): return rules.apply(bytes)
        case .precompiled(let map): return map.apply(bytes)
        case .nmt: return Self.nmt(bytes)
        case .byteLevel: return bytes.flatMap { ByteAlphabet.spelling[Int($0)] }
        case .collapseSpaces: return Self.collapsingSpaces(bytes, at: position)
        }
    }

    /// Scalar by scalar as Rust's `char::to_lowercase`: the final sigma is not special.
    static func lowercased(_ bytes: [UInt8]) -> [UInt8] {
        if !bytes.contains(where: { $0 >= 0x80 }) { return bytes.map { (65...90).contains($0) ? $0 | 0x20 : $0 } }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            result += Array(scalar.properties.lowercaseMapping.utf8)
        }
        return result
    }

    /// The characters that satisfy a condition.
    static func filtering(_ bytes: [UInt8], _ keeps: (UInt32) -> Bool) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        bytes.withUnsafeBufferPointer { buffer in
            var index = 0
            while index < buffer.count {
                let (codePoint, length) = CodePoints.decode(buffer, at: index)
                if keeps(codePoint) { result.append(contentsOf: buffer[index..<index + length]) }
                index += length
            }
        }
        return result
    }

    private static func replacing(_ bytes: [UInt8], _ pattern: SplitPattern, _ content: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 2)
        bytes.withUnsafeBufferPointer { buffer in
            if case .literal(let text) = pattern, text.count == 1 {
                // A single byte, mostly the space: the common case of SentencePiece models.
                for byte in buffer {
                    if byte == text[0] { result += content } else { result.append(byte) }
                }
                return
            }
            var open = 0
            pattern.forEachMatch(buffer) { match in
                result.append(contentsOf: buffer[open..<match.lowerBound])
                result += content
                open = match.upperBound
            }
            result.append(contentsOf: buffer[open...])
        }
        return result
    }

    private static func stripping(_ bytes: [UInt8], left: Bool, right: Bool) -> [UInt8] {
        var scalars = Substring(decoding: bytes, as: UTF8.self).unicodeScalars
        if left { while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() } }
        if right { while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() } }
        return Array(Substring(scalars).utf8)
    }

    /// `normalizers/unicode.rs` of the `tokenizers` library: control characters go, odd spaces become spaces.
    private static func nmt(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: continue
            case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
                result.append(0x20)
            default: CodePoints.append(scalar.value, to: &result)
            }
        }
        return result
    }

    private static func collapsingSpaces(_ bytes: [UInt8], at position: TextPosition) -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes {
            // Text that continues other text keeps one space in front.
            let isFirst = result.isEmpty && position != .continuing
            if byte == 0x20, isFirst || result.last == 0x20 { continue }
            result.append(byte)
        }
        while result.last == 0x20 { result.removeLast() }
        return result
    }
}
