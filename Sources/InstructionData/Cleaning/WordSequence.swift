/// A text as hashes of its words, for comparing texts quickly.
public struct WordSequence: Sendable, Equatable {
    /// How a text is cut into words.
    public enum Cut: Sendable {
        /// Runs of `a` to `z` and digits after lower-casing, as the Python package `rouge-score` without stemming.
        case ascii
        /// Runs of letters, marks and digits of any script, lower-cased; each Chinese, Japanese or Thai character a word
        /// of its own, since those scripts put no spaces between words.
        case unicode
    }

    /// FNV-1a hashes (64 bits) of the words' UTF-8 bytes, in order.
    public let words: [UInt64]

    /// Cuts a text.
    public init(_ text: String, cut: Cut = .unicode) {
        var text = text
        words = text.withUTF8 { Self.plainWords($0) } ?? Self.words(of: text, cut)
    }

    /// The words of a text without accents and other scripts, which most texts are; nil for others.
    private static func plainWords(_ text: UnsafeBufferPointer<UInt8>) -> [UInt64]? {
        if UnsafeRawBufferPointer(text).contains(where: { $0 >= 0x80 }) { return nil }
        var words: [UInt64] = []
        words.reserveCapacity(text.count / 5 + 1)
        var hash = FNV()
        var isOpen = false
        for byte in text {
            let lower = (65...90).contains(byte) ? byte | 0x20 : byte
            if (97...122).contains(lower) || (48...57).contains(lower) {
                hash.add(lower)
                isOpen = true
            } else if isOpen {
                words.append(hash.value)
                isOpen = false
                hash = FNV()
            }
        }
        if isOpen { words.append(hash.value) }
        return words
    }

    private static func words(of text: String, _ cut: Cut) -> [UInt64] {
        var words: [UInt64] = []
        var hash = FNV()
        var isOpen = false
        func close() {
            if isOpen { words.append(hash.value) }
            isOpen = false
            hash = FNV()
        }
        for scalar in text.lowercased().unicodeScalars {
            if cut == .unicode, Script.hasNoSpaces(scalar) {
                close()
                for byte in String(scalar).utf8 { hash.add(byte) }
                isOpen = true
                close()
            } else if isWord(scalar, cut) {
                for byte in String(scalar).utf8 { hash.add(byte) }
                isOpen = true
            } else {
                close()
            }
        }
        close()
        return words
    }

    /// Words that are given as hashes.
    init(words: [UInt64]) { self.words = words }

    private static func isWord(_ scalar: Unicode.Scalar, _ cut: Cut) -> Bool {
        if scalar.isASCII { return (97...122).contains(scalar.value) || (48...57).contains(scalar.value) }
        guard cut == .unicode else { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
            .spacingMark, .decimalNumber, .letterNumber, .otherNumber:
            return true
        default: return false
        }
    }

    /// Number of words.
    public var count: Int { words.count }

    /// Hashes of 32 bits of all runs of `length` words, each once, ascending; of the whole text when it is shorter.
    ///
    /// - Parameter salt: mixed into each, so that texts of different kinds share none.
    public func shingles(of length: Int, salt: UInt64 = 0) -> [UInt32] {
        guard !words.isEmpty else { return [] }
        let size = min(length, words.count)
        var shingles: [UInt32] = []
        shingles.reserveCapacity(words.count - size + 1)
        for start in 0...(words.count - size) {
            var hash = FNV()
            if salt != 0 { hash.add(salt) }
            for word in words[start..<(start + size)] { hash.add(word) }
            shingles.append(hash.folded)
        }
        shingles.sort()
        var last: UInt32?
        shingles.removeAll { shingle in
            defer { last = shingle }
            return shingle == last
        }
        return shingles
    }

    /// The share that two sets of hashes have in common (Jaccard); both ascending and without repetition.
    public static func jaccard(_ a: [UInt32], _ b: [UInt32]) -> Double {
        if a.isEmpty && b.isEmpty { return 1 }
        var (i, j, common) = (0, 0, 0)
        while i < a.count, j < b.count {
            if a[i] == b[j] { common += 1 }
            let (left, right) = (a[i], b[j])
            if left <= right { i += 1 }
            if right <= left { j += 1 }
        }
        return Double(common) / Double(a.count + b.count - common)
    }
}

/// FNV-1a of 64 bits.
struct FNV: Sendable {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }

    /// Adds eight bytes, the lowest first.
    mutating func add(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { add(UInt8(truncatingIfNeeded: number >> UInt64(shift))) }
    }

    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        add(0xFF as UInt8)
    }

    /// Both halves folded into 32 bits.
    var folded: UInt32 { UInt32(truncatingIfNeeded: value ^ (value >> 32)) }
}
