/// The longest common subsequence of one text with many others, 64 words a step.
///
/// Hyyrö, "Bit-parallel LCS-length computation revisited" (2004): `V ← (V + (V ∧ M)) ∨ (V ∧ ¬M)`; the zero bits of `V` are
/// the length.
public struct SubsequenceMatcher: Sendable {
    /// Words of the text.
    public let count: Int
    private let blocks: Int
    private let slots: [Int32]
    private let keys: [UInt64]
    /// `[words][blocks]`: where each different word stands.
    private let masks: [UInt64]

    /// Prepares a text.
    public init(_ sequence: WordSequence) {
        let words = sequence.words
        count = words.count
        blocks = (words.count + 63) / 64
        var size = 8
        while size < words.count * 2 { size *= 2 }
        var slots = [Int32](repeating: -1, count: size)
        var keys: [UInt64] = []
        var masks: [UInt64] = []
        for (position, word) in words.enumerated() {
            var slot = Int(truncatingIfNeeded: word &* 0x9E37_79B9_7F4A_7C15 >> 32) & (size - 1)
            while slots[slot] >= 0, keys[Int(slots[slot])] != word { slot = (slot + 1) & (size - 1) }
            if slots[slot] < 0 {
                slots[slot] = Int32(keys.count)
                keys.append(word)
                masks += repeatElement(0, count: blocks)
            }
            masks[Int(slots[slot]) * blocks + position / 64] |= 1 << UInt64(position % 64)
        }
        (self.slots, self.keys, self.masks) = (slots, keys, masks)
    }

    /// The length of the longest common subsequence with another text.
    public func length(with other: WordSequence) -> Int {
        guard count > 0, other.count > 0 else { return 0 }
        if blocks == 1 { return short(other) }
        var state = [UInt64](repeating: .max, count: blocks)
        for word in other.words {
            guard let key = key(of: word) else { continue }
            var carry: UInt64 = 0
            for block in 0..<blocks {
                let (value, mask) = (state[block], masks[key * blocks + block])
                let (first, overflow1) = value.addingReportingOverflow(value & mask)
                let (sum, overflow2) = first.addingReportingOverflow(carry)
                carry = overflow1 || overflow2 ? 1 : 0
                state[block] = sum | (value & ~mask)
            }
        }
        var zeros = 0
        for block in 0..<blocks {
            let bits = min(64, count - block * 64)
            zeros += (~state[block] & (bits == 64 ? .max : (1 << UInt64(bits)) - 1)).nonzeroBitCount
        }
        return zeros
    }

    private func short(_ other: WordSequence) -> Int {
        var state: UInt64 = .max
        for word in other.words {
            guard let key = key(of: word) else { continue }
            let mask = masks[key]
            state = (state &+ (state & mask)) | (state & ~mask)
        }
        return (~state & (count == 64 ? .max : (1 << UInt64(count)) - 1)).nonzeroBitCount
    }

    private func key(of word: UInt64) -> Int? {
        let size = slots.count
        var slot = Int(truncatingIfNeeded: word &* 0x9E37_79B9_7F4A_7C15 >> 32) & (size - 1)
        while slots[slot] >= 0 {
            if keys[Int(slots[slot])] == word { return Int(slots[slot]) }
            slot = (slot + 1) & (size - 1)
        }
        return nil
    }

    /// ROUGE-L's F-measure with another text, precision and recall alike (Lin 2004 with β = 1), as `rouge-score` gives it.
    public func rougeL(with other: WordSequence) -> Double {
        let common = length(with: other)
        guard common > 0 else { return 0 }
        let (precision, recall) = (Double(common) / Double(other.count), Double(common) / Double(count))
        return 2 * precision * recall / (precision + recall)
    }

    /// Whether the F-measure exceeds a bound; lengths that rule it out cost nothing.
    public func exceeds(_ bound: Double, with other: WordSequence) -> Bool {
        guard count > 0, other.count > 0 else { return false }
        let best = 2 * Double(min(count, other.count)) / Double(count + other.count)
        return best > bound && rougeL(with: other) > bound
    }
}
