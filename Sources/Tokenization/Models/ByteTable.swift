/// Ids by token bytes: a flat hash table over one arena, for lookups without making strings.
struct ByteTable: Sendable {
    private var slots: [Int32]
    private var entries: [(start: Int, count: Int, id: Int32)] = []
    private var arena: [UInt8] = []
    private let mask: Int
    /// The longest token, in bytes.
    private(set) var longest = 0

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        mask = size - 1
        slots = Array(repeating: -1, count: size)
        entries.reserveCapacity(capacity)
    }

    @inline(__always)
    static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
        var index = 0
        while index + 8 <= bytes.count {
            let word = UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped + index).loadUnaligned(as: UInt64.self)
            hash = mix(hash ^ word)
            index += 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.count {
            tail |= UInt64(bytes[index]) << shift
            shift += 8
            index += 1
        }
        return mix(hash ^ tail)
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let (high, low) = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return high ^ low
    }

    /// Adds a token; the first id of the same bytes stays.
    mutating func insert(_ bytes: [UInt8], _ id: Int32) {
        guard entries.count * 2 <= mask else { return }
        var index = bytes.withUnsafeBufferPointer { Int(truncatingIfNeeded: Self.hash($0)) } & mask
        while slots[index] >= 0 {
            let entry = entries[Int(slots[index])]
            if arena[entry.start..<entry.start + entry.count].elementsEqual(bytes) { return }
            index = (index + 1) & mask
        }
        slots[index] = Int32(entries.count)
        entries.append((arena.count, bytes.count, id))
        arena += bytes
        longest = max(longest, bytes.count)
    }

    /// The id of a token, -1 for none.
    func id(of bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        if bytes.count > longest { return -1 }
        var index = Int(truncatingIfNeeded: Self.hash(bytes)) & mask
        while slots[index] >= 0 {
            let entry = entries[Int(slots[index])]
            if entry.count == bytes.count {
                let isEqual = arena.withUnsafeBufferPointer { arena in
                    UnsafeBufferPointer(rebasing: arena[entry.start..<entry.start + entry.count]).elementsEqual(bytes)
                }
                if isEqual { return entry.id }
            }
            index = (index + 1) & mask
        }
        return -1
    }

    func id(of bytes: [UInt8]) -> Int32 { bytes.withUnsafeBufferPointer { id(of: $0) } }
}
