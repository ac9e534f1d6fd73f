/// Merges by the ids of their two parts: a flat hash table with open addressing.
struct PairTable: Sendable {
    /// What two neighbouring tokens become.
    struct Merge: Sendable {
        /// Order of the merge in the file; lower goes first.
        var rank: Int32
        var id: Int32
    }

    fileprivate struct Slot: Sendable {
        var key: UInt64
        var merge: Merge
    }

    private var slots: [Slot]
    private var mask: Int
    private(set) var count = 0

    fileprivate static let empty = UInt64.max

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        mask = size - 1
        slots = Array(repeating: Slot(key: Self.empty, merge: Merge(rank: 0, id: 0)), count: size)
    }

    @inline(__always)
    fileprivate static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    fileprivate static func hash(_ key: UInt64) -> Int {
        // Fibonacci hashing; the high bits are the mixed ones.
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 38)
    }

    /// Adds a merge; a later one for the same pair takes the place of the earlier.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        if count * 2 > mask { grow() }
        let key = Self.key(left, right)
        var index = Self.hash(key) & mask
        while slots[index].key != Self.empty, slots[index].key != key { index = (index + 1) & mask }
        if slots[index].key == Self.empty { count += 1 }
        slots[index] = Slot(key: key, merge: merge)
    }

    private mutating func grow() {
        let old = slots
        mask = 2 * mask + 1
        slots = Array(repeating: Slot(key: Self.empty, merge: Merge(rank: 0, id: 0)), count: mask + 1)
        for slot in old where slot.key != Self.empty {
            var index = Self.hash(slot.key) & mask
            while slots[index].key != Self.empty { index = (index + 1) & mask }
            slots[index] = slot
        }
    }

    /// Lends the table for lookups without bounds checks.
    func withLookup<Result>(_ body: (Lookup) -> Result) -> Result {
        slots.withUnsafeBufferPointer { body(Lookup(slots: $0.baseAddress.unsafelyUnwrapped, mask: mask)) }
    }

    /// Lookups while the table's storage is lent.
    struct Lookup {
        fileprivate let slots: UnsafePointer<Slot>
        fileprivate let mask: Int

        /// The merge of two tokens; rank `Int32.max` when there is none.
        @inline(__always)
        func callAsFunction(_ left: Int32, _ right: Int32) -> Merge {
            let key = PairTable.key(left, right)
            var index = PairTable.hash(key) & mask
            while true {
                let slot = slots[index]
                if slot.key == key { return slot.merge }
                if slot.key == PairTable.empty { return Merge(rank: .max, id: 0) }
                index = (index + 1) & mask
            }
        }
    }
}
