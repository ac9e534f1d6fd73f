/// Reading code points from bytes that are known to be valid UTF-8 (they come from a `String`).
///
/// Stages work on bytes: `Character` and `String.Index` cost more than the merges of a tokenizer.
enum CodePoints {
    /// The code point that starts at `index` and the number of its bytes.
    @inline(__always)
    static func decode(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> (codePoint: UInt32, length: Int) {
        let first = bytes[index]
        if first < 0x80 { return (UInt32(first), 1) }
        let remaining = bytes.count - index
        if first < 0xE0 {
            guard remaining >= 2 else { return (0xFFFD, 1) }
            return (UInt32(first & 0x1F) << 6 | UInt32(bytes[index + 1] & 0x3F), 2)
        }
        if first < 0xF0 {
            guard remaining >= 3 else { return (0xFFFD, 1) }
            let middle = UInt32(bytes[index + 1] & 0x3F) << 6
            return (UInt32(first & 0x0F) << 12 | middle | UInt32(bytes[index + 2] & 0x3F), 3)
        }
        guard remaining >= 4 else { return (0xFFFD, 1) }
        let high = UInt32(first & 0x07) << 18 | UInt32(bytes[index + 1] & 0x3F) << 12
        let value = high | UInt32(bytes[index + 2] & 0x3F) << 6 | UInt32(bytes[index + 3] & 0x3F)
        // Tables end with the last code point; bytes that are no UTF-8 must not lead behind it.
        return (value <= 0x10FFFF ? value : 0xFFFD, 4)
    }

    /// Number of bytes of the character whose first byte this is.
    @inline(__always)
    static func length(_ first: UInt8) -> Int {
        first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    }

    /// Appends a code point's bytes; surrogates and values above 0x10FFFF become U+FFFD.
    static func append(_ codePoint: UInt32, to bytes: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(codePoint) else { return append(0xFFFD, to: &bytes) }
        bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// The code points of a text.
    static func of(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }
}
