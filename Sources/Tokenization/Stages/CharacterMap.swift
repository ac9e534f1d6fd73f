/// SentencePiece's `precompiled_charsmap`: a double-array trie from character sequences to their replacements.
///
/// Layout: four bytes with the size of the trie in bytes, little endian; its units of four bytes; then the replacements,
/// each ended by a zero byte (`normalizer.cc` of SentencePiece, units as in darts-clone).
struct CharacterMap: Sendable {
    /// Where a replacement may begin.
    enum Matching: Sendable {
        /// The longest match at each place, as SentencePiece does.
        case longest
        /// Grapheme by grapheme and then character by character, the first match: as the `tokenizers` library does.
        case graphemes
    }

    /// A damaged table.
    struct Damage: Error {
        let reason: String
    }

    private let units: [UInt32]
    private let replacements: [UInt8]
    private let matching: Matching

    init(_ bytes: [UInt8], matching: Matching) throws(Damage) {
        self.matching = matching
        if bytes.isEmpty {
            units = []
            replacements = []
            return
        }
        guard bytes.count > 4 else { throw Damage(reason: "is too short") }
        func word(_ offset: Int) -> UInt32 {
            UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
                | UInt32(bytes[offset + 3]) << 24
        }
        let size = Int(word(0))
        guard size % 4 == 0, size >= 4, size <= bytes.count - 4 else {
            throw Damage(reason: "says that its trie has \(size) bytes, of \(bytes.count) in all")
        }
        units = (0..<size / 4).map { word(4 + 4 * $0) }
        replacements = Array(bytes[(4 + size)...])
    }

    func apply(_ bytes: [UInt8]) -> [UInt8] {
        guard !units.isEmpty else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        switch matching {
        case .longest:
            var index = 0
            while index < bytes.count {
                let length = CodePoints.length(bytes[index])
                if let match = matches(bytes[index...]).last {
                    appendReplacement(match.value, to: &result)
                    index += match.length
                } else {
                    result += bytes[index..<min(index + length, bytes.count)]
                    index += length
                }
            }
        case .graphemes:
            for grapheme in String(decoding: bytes, as: UTF8.self) {
                let whole = Array(grapheme.utf8)
                if whole.count < 6, let match = matches(whole[...]).first {
                    appendReplacement(match.value, to: &result)
                    continue
                }
                for scalar in grapheme.unicodeScalars {
                    let character = Array(String(scalar).utf8)
                    if let match = matches(character[...]).first {
                        appendReplacement(match.value, to: &result)
                    } else {
                        result += character
                    }
                }
            }
        }
        return result
    }

    private func appendReplacement(_ start: Int, to result: inout [UInt8]) {
        var index = start
        while index < replacements.count, replacements[index] != 0 {
            result.append(replacements[index])
            index += 1
        }
    }

    /// The keys that begin the bytes, shortest first: their lengths and where their replacements start.
    private func matches(_ bytes: ArraySlice<UInt8>) -> [(length: Int, value: Int)] {
        var found: [(Int, Int)] = []
        var position = offset(units[0])
        for (index, byte) in bytes.enumerated() {
            if byte == 0 { break }
            position ^= Int(byte)
            guard position < units.count else { break }
            let unit = units[position]
            guard unit & 0x8000_00FF == UInt32(byte) else { break }
            position ^= offset(unit)
            guard position < units.count else { break }
            if unit >> 8 & 1 == 1 { found.append((index + 1, Int(units[position] & 0x7FFF_FFFF))) }
        }
        return found
    }

    private func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & (1 << 9)) >> 6) }
}
