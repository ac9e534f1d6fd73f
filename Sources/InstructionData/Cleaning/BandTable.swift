/// Which records share a band of their signature: 12 bytes a band of a record and 2 to 4 for the slots, in one table.
struct BandTable: Sendable {
    private var heads: [UInt32]
    private var keys: ContiguousArray<UInt32> = []
    private var records: ContiguousArray<UInt32> = []
    private var next: ContiguousArray<UInt32> = []

    /// A table for so many entries; it grows when there are more.
    init(capacity: Int) {
        var size = 1024
        while size < capacity / 2 { size *= 2 }
        heads = Array(repeating: 0, count: size)
        keys.reserveCapacity(capacity)
        records.reserveCapacity(capacity)
        next.reserveCapacity(capacity)
    }

    mutating func insert(_ record: UInt32, key: UInt64) {
        if keys.count >= heads.count * 4 { rebuild() }
        let slot = slot(of: UInt32(truncatingIfNeeded: key))
        keys.append(UInt32(truncatingIfNeeded: key))
        records.append(record)
        next.append(heads[slot])
        heads[slot] = UInt32(keys.count)
    }

    /// Records under a key, the latest first.
    func forEach(_ key: UInt64, _ body: (UInt32) -> Void) {
        let key = UInt32(truncatingIfNeeded: key)
        var entry = heads[slot(of: key)]
        while entry != 0 {
            let index = Int(entry) - 1
            if keys[index] == key { body(records[index]) }
            entry = next[index]
        }
    }

    /// Half of a key's bits are kept; records that meet by chance are told apart by what they hold.
    private func slot(of key: UInt32) -> Int {
        Int(truncatingIfNeeded: UInt64(key) &* 0x9E37_79B9_7F4A_7C15 >> 32) & (heads.count - 1)
    }

    private mutating func rebuild() {
        heads = Array(repeating: 0, count: heads.count * 4)
        for index in keys.indices {
            let slot = slot(of: keys[index])
            next[index] = heads[slot]
            heads[slot] = UInt32(index + 1)
        }
    }
}
