/// Stream numbers for the independent choices of a run.
enum RandomStream {
    /// Which records a selection draws.
    static let selection: UInt64 = 1
    /// The order of a component's pass.
    static let pass: UInt64 = 2
    /// The order of an epoch.
    static let epoch: UInt64 = 3
    /// The order of a record's turns.
    static let turns: UInt64 = 4
    /// What takes the place of a broken record.
    static let replacement: UInt64 = 5

    /// Mixes a purpose and its numbers into one stream number (splitmix64's finaliser, chained).
    static func mixed(_ parts: UInt64...) -> UInt64 {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        for part in parts {
            state = (state ^ part) &+ 0x9E37_79B9_7F4A_7C15
            state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
            state ^= state >> 31
        }
        return state
    }

    /// 64 bits of some bytes, eight at a time.
    static func mixed(of bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
        func add(_ word: UInt64) {
            hash = (hash ^ word) &* 0xBF58_476D_1CE4_E5B9
            hash ^= hash >> 29
        }
        var offset = 0
        while offset + 8 <= bytes.count {
            add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        for byte in bytes[offset...] { add(UInt64(byte)) }
        return mixed(hash)
    }
}
