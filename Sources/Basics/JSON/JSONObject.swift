/// The members of a JSON object in file order, with look-up by key.
///
/// Small objects are searched from the front; larger ones carry a hash index over the UTF-8 bytes of their keys, so a
/// vocabulary of 150,000 entries costs one probe a look-up and a record of five costs no index.
public struct JSONObject: Sendable {
    @usableFromInline struct Member: Sendable, Equatable {
        var key: String
        var value: JSON
    }

    private var members: [Member]
    /// None or one; an array, since copies of an object then count one reference for it.
    private var index: [KeyIndex]

    /// From this many members on, an index is kept.
    private static let indexThreshold = 12

    /// An object without members.
    public init() {
        members = []
        index = []
    }

    /// The members given; a repeated key keeps its first place and its last value.
    public init(_ elements: some Sequence<(String, JSON)>) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }

    /// The keys in order.
    public var keys: [String] { members.map(\.key) }

    /// The values in order.
    public var values: [JSON] { members.map(\.value) }

    /// The value of `key`; setting nil removes the member, setting a new key appends it.
    public subscript(key: String) -> JSON? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let found?, let value?): members[found].value = value
            case (let found?, nil):
                members.remove(at: found)
                index = members.count < Self.indexThreshold ? [] : [KeyIndex(members.map(\.key))]
            case (nil, let value?): append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    /// Appends a member whose key is known to be new.
    mutating func append(_ key: String, _ value: JSON) { append(Member(key: key, value: value)) }

    private mutating func append(_ member: Member) {
        members.append(member)
        if !index.isEmpty {
            index[0].insert(members.count - 1, hash: KeyIndex.hash(member.key))
        } else if members.count >= Self.indexThreshold {
            index = [KeyIndex(members.map(\.key))]
        }
    }

    private func position(of key: String) -> Int? {
        if let index = index.first {
            return index.find(hash: KeyIndex.hash(key)) { members[$0].key.utf8Equals(key) }
        }
        return members.firstIndex { $0.key.utf8Equals(key) }
    }
}

extension JSONObject: RandomAccessCollection {
    /// Always 0.
    public var startIndex: Int { 0 }
    /// The number of members.
    public var endIndex: Int { members.count }

    /// The member at `position` in file order.
    public subscript(position: Int) -> (key: String, value: JSON) {
        (members[position].key, members[position].value)
    }
}

extension JSONObject: Equatable {
    /// Equal when both hold the same keys with equal values, in any order, as RFC 8259 has it.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.count == b.count && a.members.allSatisfy { b[$0.key] == $0.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// The members of the literal in order.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self.init(elements)
    }
}

extension String {
    /// Whether both strings have the same UTF-8 bytes (`==` would also accept other normal forms).
    package func utf8Equals(_ other: String) -> Bool {
        if utf8.count != other.utf8.count { return false }
        var a = self
        var b = other
        return a.withUTF8 { x in b.withUTF8 { y in x.count == y.count && x.elementsEqual(y) } }
    }
}

/// An open-addressing table of positions, keyed by hashes that the owner supplies.
struct KeyIndex: Sendable {
    /// Position + 1, 0 marks a free slot.
    private var slots: [UInt32]
    private var hashes: [UInt32]

    init(_ keys: [String]) { self.init(hashes: keys.map { Self.hash($0) }) }

    init(hashes: [UInt32]) {
        slots = []
        self.hashes = hashes
        rebuild(capacity: hashes.count * 2)
    }

    /// A hash of the UTF-8 bytes, seeded by the process, so that no file can aim for collisions.
    static func hash(_ key: String) -> UInt32 {
        var key = key
        return key.withUTF8 { hash(UnsafeRawBufferPointer($0)) }
    }

    static func hash(_ key: UnsafeRawBufferPointer) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }

    private mutating func rebuild(capacity: Int) {
        var size = 32
        while size < capacity * 2 { size *= 2 }
        slots = [UInt32](repeating: 0, count: size)
        for position in hashes.indices { place(position) }
    }

    private mutating func place(_ position: Int) {
        let mask = slots.count - 1
        var slot = Int(hashes[position]) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(position + 1)
    }

    mutating func insert(_ position: Int, hash: UInt32) {
        hashes.append(hash)
        if hashes.count * 2 > slots.count { rebuild(capacity: hashes.count * 2) } else { place(position) }
    }

    func find(hash: UInt32, where matches: (Int) -> Bool) -> Int? {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let position = Int(slots[slot]) - 1
            if hashes[position] == hash, matches(position) { return position }
            slot = (slot + 1) & mask
        }
        return nil
    }
}
