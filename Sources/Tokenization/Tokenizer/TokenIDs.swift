/// Ids by token, compared byte by byte.
///
/// Swift's strings are equal when they are canonically equivalent; vocabularies hold both "ί" U+03AF and "ί" U+1F77.
struct TokenIDs: Sendable {
    private struct Key: Hashable, Sendable {
        let text: String

        static func == (left: Key, right: Key) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

        func hash(into hasher: inout Hasher) {
            let isHashed: Void? = text.utf8.withContiguousStorageIfAvailable {
                hasher.combine(bytes: UnsafeRawBufferPointer($0))
            }
            if isHashed == nil { Array(text.utf8).withUnsafeBytes { hasher.combine(bytes: $0) } }
        }
    }

    private var storage: [Key: Int32] = [:]

    /// The id of a token, nil for none.
    subscript(token: String) -> Int32? {
        get { storage[Key(text: token)] }
        set { storage[Key(text: token)] = newValue }
    }

    var count: Int { storage.count }

    mutating func reserveCapacity(_ count: Int) { storage.reserveCapacity(count) }
}
