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
    /// Bytes of the longest replacement.
    let longestReplacement: Int

    init(_ bytes: [UInt8], matching: Matching) throws(Damage) {
        self.matching = matching
        if bytes.isEmpty {
            units = []
            replacements = []
            longestReplacement = 0
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
        longestReplacement = replacements.split(separator: 0).lazy.map(\.count).max() ?? 0
        try check()
    }

    /// What comes out is text, whatever the table says: replacements are UTF-8, and none begins inside a character.
    private func check() throws(Damage) {
        guard String(validating: replacements, as: UTF8.self) != nil else {
            throw Damage(reason: "has a replacement that is not UTF-8")
        }
        guard Double(longestReplacement) <= Growth.most else {
            throw Damage(reason: "has a replacement of \(longestReplacement) bytes")
        }
        for (index, unit) in units.enumerated() where unit & 0x8000_0100 == 0x100 {
            let place = index ^ offset(unit)
            guard place < units.count else { throw Damage(reason: "has a key whose value is outside the trie") }
            let start = Int(units[place] & 0x7FFF_FFFF)
            guard start < replacements.count else { throw Damage(reason: "has a replacement behind its end") }
            guard replacements[start] & 0xC0 != 0x80 else {
                throw Damage(reason: "has a replacement that begins inside a character")
            }
        }
    }

    func apply(_ bytes: [UInt8]) -> [UInt8] {
        guard !units.isEmpty else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 8)
        bytes.withUnsafeBufferPointer { bytes in
            switch matching {
            case .longest: replaceLongest(bytes, into: &result)
            case .graphemes: replaceGraphemes(bytes, into: &result)
            }
        }
        return result
    }

    private func replaceLongest(_ bytes: UnsafeBufferPointer<UInt8>, into result: inout [UInt8]) {
        var index = 0
        var open = 0
        while index < bytes.count {
            let match = match(bytes, index..<bytes.count, isLongest: true)
            guard match.length > 0 else {
                index = min(index + CodePoints.length(bytes[index]), bytes.count)
                continue
            }
            result.append(contentsOf: bytes[open..<index])
            appendReplacement(match.value, to: &result)
            index += match.length
            open = index
        }
        result.append(contentsOf: bytes[open...])
    }

    private func replaceGraphemes(_ bytes: UnsafeBufferPointer<UInt8>, into result: inout [UInt8]) {
        /// Whether a grapheme ends between two bytes whatever stands around them: both ASCII, and no line end.
        func isBreak(_ index: Int) -> Bool {
            bytes[index - 1] < 0x80 && bytes[index] < 0x80 && !(bytes[index - 1] == 0x0D && bytes[index] == 0x0A)
        }
        func replace(_ range: Range<Int>) {
            let match = match(bytes, range, isLongest: false)
            if match.length > 0 {
                appendReplacement(match.value, to: &result)
            } else {
                result.append(contentsOf: bytes[range])
            }
        }
        var index = 0
        while index < bytes.count {
            var end = index + 1
            while end < bytes.count, !isBreak(end) { end += 1 }
            if end == index + 1 {
                replace(index..<end)
            } else {
                for grapheme in String(decoding: bytes[index..<end], as: UTF8.self) {
                    let length = grapheme.utf8.count
                    if length < 6 {
                        let match = match(bytes, index..<index + length, isLongest: false)
                        if match.length > 0 {
                            appendReplacement(match.value, to: &result)
                            index += length
                            continue
                        }
                    }
                    for scalar in grapheme.unicodeScalars {
                        let count = UTF8.width(scalar)
                        replace(index..<index + count)
                        index += count
                    }
                }
            }
            index = end
        }
    }

    private func appendReplacement(_ start: Int, to result: inout [UInt8]) {
        var index = start
        while index < replacements.count, replacements[index] != 0 {
            result.append(replacements[index])
            index += 1
        }
    }

    /// The shortest or longest key of whole characters that stands at the beginning of a range: its length, 0 for none, and where its replacement starts.
    private func match(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, isLongest: Bool
    ) -> (length: Int, value: Int) {
        var found = (length: 0, value: 0)
        var position = offset(units[0])
        for index in range {
            let byte = bytes[index]
            if byte == 0 { break }
            position ^= Int(byte)
            guard position < units.count else { break }
            let unit = units[position]
            guard unit & 0x8000_00FF == UInt32(byte) else { break }
            position ^= offset(unit)
            guard position < units.count else { break }
            if unit >> 8 & 1 == 1, index + 1 == bytes.count || bytes[index + 1] & 0xC0 != 0x80 {
                found = (index - range.lowerBound + 1, Int(units[position] & 0x7FFF_FFFF))
                if !isLongest { break }
            }
        }
        return found
    }

    @inline(__always)
    private func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & (1 << 9)) >> 6) }
}
