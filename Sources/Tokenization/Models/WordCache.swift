/// The ids of words seen before, for words of at most 16 bytes and 6 ids: a direct-mapped table.
///
/// Text repeats its words, and a hit costs one comparison instead of the merges. A new word takes the place of an old
/// one with the same hash, so that nothing grows.
struct WordCache {
    private struct Entry {
        var low: UInt64 = 0
        var high: UInt64 = 0
        /// Bytes of the word; 0 for an empty entry.
        var length: UInt8 = 0
        var count: UInt8 = 0
        var ids: (Int32, Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0, 0)
    }

    static let maxLength = 16
    static let maxIDs = 6
    private static let size = 1 << 15
    private var entries: UnsafeMutablePointer<Entry>

    init() {
        entries = .allocate(capacity: Self.size)
        entries.initialize(repeating: Entry(), count: Self.size)
    }

    /// Frees the table; the owner calls it once.
    func deallocate() { entries.deallocate() }

    /// A word's bytes in two registers.
    struct Key {
        var low: UInt64
        var high: UInt64
        var length: UInt8

        /// The word must have at most ``WordCache/maxLength`` bytes.
        @inline(__always)
        init(_ word: UnsafeBufferPointer<UInt8>) {
            let count = word.count
            let base = UnsafeRawPointer(word.baseAddress.unsafelyUnwrapped)
            length = UInt8(truncatingIfNeeded: count)
            if count >= 8 {
                low = base.loadUnaligned(as: UInt64.self)
                // The last eight bytes, overlapping: with the length they determine the word.
                high = base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            } else if count >= 4 {
                let first = UInt64(base.loadUnaligned(as: UInt32.self))
                low = first | UInt64(base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)) << 32
                high = 0
            } else {
                low = UInt64(word[0]) | UInt64(word[count / 2]) << 8 | UInt64(word[count - 1]) << 16
                high = 0
            }
        }

        @inline(__always)
        fileprivate var slot: Int {
            let mixed = (low ^ (high &* 0x9E37_79B9_7F4A_7C15) ^ UInt64(length)) &* 0xD6E8_FEB8_6659_FD93
            return Int(truncatingIfNeeded: mixed >> 49)
        }
    }

    /// Appends the word's ids when they are known.
    @inline(__always)
    func append(_ key: Key, to ids: inout [Int32]) -> Bool {
        let entry = entries + key.slot
        guard entry.pointee.length == key.length, entry.pointee.low == key.low, entry.pointee.high == key.high else {
            return false
        }
        let known = entry.pointee.ids
        ids.append(known.0)
        let count = entry.pointee.count
        if count > 1 {
            ids.append(known.1)
            if count > 2 { ids.append(known.2) }
            if count > 3 { ids.append(known.3) }
            if count > 4 { ids.append(known.4) }
            if count > 5 { ids.append(known.5) }
        }
        return true
    }

    /// Remembers a word of 1 to ``maxIDs`` ids.
    func insert(_ key: Key, _ ids: ArraySlice<Int32>) {
        guard !ids.isEmpty, ids.count <= Self.maxIDs else { return }
        var entry = Entry(low: key.low, high: key.high, length: key.length, count: UInt8(ids.count))
        withUnsafeMutableBytes(of: &entry.ids) { raw in
            let target = raw.bindMemory(to: Int32.self)
            for (index, id) in ids.enumerated() { target[index] = id }
        }
        entries[key.slot] = entry
    }
}
