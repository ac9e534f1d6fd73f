#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Helpers on UTF-8 bytes.
public enum UTF8Text {
    /// The offset of the first byte that is not part of valid UTF-8 (table 3-7 of the Unicode standard); nil when all of
    /// it is valid.
    public static func firstInvalidByte(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        while offset < bytes.count {
            if offset + 8 <= bytes.count,
                bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                offset += 8
                continue
            }
            let first = bytes[offset]
            if first < 0x80 {
                offset += 1
                continue
            }
            // How many bytes follow, and what the first of them may be.
            let (following, second): (Int, ClosedRange<UInt8>)
            switch first {
            case 0xC2...0xDF: (following, second) = (1, 0x80...0xBF)
            case 0xE0: (following, second) = (2, 0xA0...0xBF)
            case 0xE1...0xEC, 0xEE...0xEF: (following, second) = (2, 0x80...0xBF)
            case 0xED: (following, second) = (2, 0x80...0x9F)
            case 0xF0: (following, second) = (3, 0x90...0xBF)
            case 0xF1...0xF3: (following, second) = (3, 0x80...0xBF)
            case 0xF4: (following, second) = (3, 0x80...0x8F)
            default: return offset
            }
            guard offset + following < bytes.count, second.contains(bytes[offset + 1]) else { return offset }
            for next in 1..<following where bytes[offset + 1 + next] & 0xC0 != 0x80 { return offset }
            offset += following + 1
        }
        return nil
    }

    /// The encoding of 2 or 4 bytes a character that the first bytes of a text tell of; nil for UTF-8.
    public static func wideEncoding(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard bytes.count >= 4 else { return nil }
        switch (bytes[0], bytes[1], bytes[2], bytes[3]) {
        case (0xFF, 0xFE, 0, 0), (0, 0, 0xFE, 0xFF): return "UTF-32"
        case (0xFF, 0xFE, _, _), (0xFE, 0xFF, _, _): return "UTF-16"
        // Without a byte order mark; no text begins with a null character.
        case (1..., 0, 1..., 0): return "UTF-16LE"
        case (0, 1..., 0, 1...): return "UTF-16BE"
        default: return nil
        }
    }

    /// The text that bytes spell, those that are not UTF-8 as `\xE9`.
    public static func spelled(_ bytes: UnsafeRawBufferPointer) -> String {
        var text = ""
        var rest = bytes
        while let offset = firstInvalidByte(rest) {
            let digits = String(rest[offset], radix: 16, uppercase: true)
            text += String(decoding: rest[..<offset], as: UTF8.self) + "\\x\(digits)"
            rest = UnsafeRawBufferPointer(rebasing: rest[(offset + 1)...])
        }
        return text + String(decoding: rest, as: UTF8.self)
    }

    /// The offset of the first `byte` at or after `start`.
    public static func firstIndex(of byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, Int32(byte), bytes.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
