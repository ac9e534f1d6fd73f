/// GPT-2's alphabet: each of the 256 bytes as one printable character, so that any bytes can stand in a JSON vocabulary.
///
/// `bytes_to_unicode` of GPT-2's `encoder.py`: printable Latin-1 bytes are themselves, the others count up from U+0100.
enum ByteAlphabet {
    /// The code point that stands for each byte.
    static let codePoints: [UInt32] = {
        var next: UInt32 = 0x100
        return (0..<256).map { byte -> UInt32 in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return UInt32(byte)
            }
            defer { next += 1 }
            return next
        }
    }()

    /// The UTF-8 bytes of the character that stands for each byte.
    static let spelling: [[UInt8]] = codePoints.map { codePoint in
        var bytes: [UInt8] = []
        CodePoints.append(codePoint, to: &bytes)
        return bytes
    }

    /// The byte that each code point below 0x144 stands for; -1 for none.
    private static let values: [Int16] = {
        var values = [Int16](repeating: -1, count: 0x144)
        for (byte, codePoint) in codePoints.enumerated() { values[Int(codePoint)] = Int16(byte) }
        return values
    }()

    /// The bytes that a token's string stands for, nil when a character is not of the alphabet.
    static func bytes(of token: String) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(token.utf8.count)
        for scalar in token.unicodeScalars {
            guard scalar.value < 0x144, values[Int(scalar.value)] >= 0 else { return nil }
            result.append(UInt8(values[Int(scalar.value)]))
        }
        return result
    }

    /// The string of the alphabet's characters for bytes.
    static func string(of bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.flatMap { spelling[Int($0)] }, as: UTF8.self)
    }
}
