extension JSONParser {
    /// Parses a string whose opening quote is at `position`.
    ///
    /// Strings without escapes, nearly all of them, are found eight bytes at a time.
    mutating func parseString() throws(JSONError) {
        let start = position + 1
        var end = start
        var ascii = true
        scan: while true {
            while end + 8 <= bytes.count {
                let word = bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self)
                if word & 0x8080_8080_8080_8080 != 0 || Self.hasSpecial(word) { break }
                end += 8
            }
            guard end < bytes.count else { throw unterminated(from: start - 1) }
            let byte = bytes[end]
            switch byte {
            case UInt8(ascii: "\""): break scan
            case UInt8(ascii: "\\"): return try parseEscapedString(from: start, firstEscape: end)
            case 0..<0x20: throw controlCharacter(at: end)
            default:
                ascii = ascii && byte < 0x80
                end += 1
            }
        }
        position = end + 1
        if !ascii { try checkUTF8(in: start..<end) }
        add(.string, start..<end)
    }

    /// Whether one of eight ASCII bytes is a quote, a backslash or below 0x20.
    @inline(__always)
    static func hasSpecial(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let control = word &- (ones &* 0x20)
        return ((quote &- ones) | (backslash &- ones) | control) & highs != 0
    }

    private func unterminated(from offset: Int) -> JSONError {
        failure(
            "the string that starts here has no end", at: offset,
            fix: "close the quotes; if the file was cut short, copy or download it again")
    }

    private func controlCharacter(at offset: Int) -> JSONError {
        failure(
            "a control character (byte 0x\(String(bytes[offset], radix: 16))) inside a string", at: offset,
            fix: "write it as an escape, such as \\n or \\t")
    }

    private func checkUTF8(in range: Range<Int>) throws(JSONError) {
        let content = UnsafeRawBufferPointer(rebasing: bytes[range])
        guard let invalid = UTF8Text.firstInvalidByte(content) else { return }
        let offset = range.lowerBound + invalid
        throw failure(
            "a string holds bytes that are not UTF-8 (0x\(String(bytes[offset], radix: 16)))", at: offset,
            fix: "save the file as UTF-8")
    }

    /// The slow path: a string with escapes.
    private mutating func parseEscapedString(from start: Int, firstEscape: Int) throws(JSONError) {
        var cursor = firstEscape
        while true {
            guard cursor < bytes.count else { throw unterminated(from: start - 1) }
            let byte = bytes[cursor]
            switch byte {
            case UInt8(ascii: "\""):
                position = cursor + 1
                try checkUTF8(in: start..<cursor)
                return add(.string, start..<cursor, isEscaped: true)
            case UInt8(ascii: "\\"):
                cursor += 1
                guard cursor < bytes.count else { throw unterminated(from: start - 1) }
                _ = try escape(&cursor)
            case 0..<0x20: throw controlCharacter(at: cursor)
            default: cursor += 1
            }
        }
    }

    /// What a string that was parsed before stands for: its bytes without escapes.
    static func unescaped(_ content: UnsafeRawBufferPointer) -> [UInt8] {
        let parser = JSONParser(content, source: "", limits: JSONLimits())
        var result: [UInt8] = []
        result.reserveCapacity(content.count)
        var cursor = 0
        while cursor < content.count {
            let byte = content[cursor]
            cursor += 1
            if byte != UInt8(ascii: "\\") {
                result.append(byte)
            } else if let scalar = try? parser.escape(&cursor) {
                result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        return result
    }

    /// What the escape at `cursor` (just behind the backslash) stands for; `cursor` ends behind it.
    private func escape(_ cursor: inout Int) throws(JSONError) -> Unicode.Scalar {
        let scalar: Unicode.Scalar
        switch bytes[cursor] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scalar = Unicode.Scalar(bytes[cursor])
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        case UInt8(ascii: "u"): return try unicodeEscape(&cursor)
        default:
            throw failure(
                "unknown escape: backslash and \(shown(cursor))", at: cursor - 1,
                fix: "write a backslash itself as \\\\")
        }
        cursor += 1
        return scalar
    }

    /// Reads `uXXXX`, or a surrogate pair of two; `cursor` ends behind it.
    private func unicodeEscape(_ cursor: inout Int) throws(JSONError) -> Unicode.Scalar {
        let start = cursor - 1
        let high = try fourHexDigits(at: cursor + 1, escape: start)
        cursor += 5
        if let scalar = Unicode.Scalar(high) { return scalar }
        let fix = "write the character itself, or both halves of its surrogate pair"
        guard high < 0xDC00, cursor + 1 < bytes.count, bytes[cursor] == UInt8(ascii: "\\"),
            bytes[cursor + 1] == UInt8(ascii: "u")
        else {
            throw failure("an unpaired surrogate escape \\u\(String(high, radix: 16))", at: start, fix: fix)
        }
        let low = try fourHexDigits(at: cursor + 2, escape: cursor)
        guard (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        else {
            throw failure("an unpaired surrogate escape \\u\(String(high, radix: 16))", at: start, fix: fix)
        }
        cursor += 6
        return scalar
    }

    private func fourHexDigits(at offset: Int, escape: Int) throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for digit in offset..<offset + 4 {
            guard digit < bytes.count, let nibble = Self.hexDigit(bytes[digit]) else {
                throw failure("\\u needs four hexadecimal digits", at: escape)
            }
            value = value << 4 | nibble
        }
        return value
    }

    private static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
