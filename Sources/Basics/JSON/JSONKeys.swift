#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The keys of an object while it is parsed: tells whether the next one is new.
///
/// Few keys are compared with each other, many are looked up in an index over their bytes.
struct JSONKeys {
    private let first: Int
    private var count = 0
    private var index: KeyIndex?
    /// Tokens of the keys, kept with the index.
    private var indexed: [Int] = []

    /// From this many keys on, an index is kept.
    private static let indexThreshold = 12

    /// - Parameter first: the token of the first key.
    init(first: Int) { self.first = first }

    /// Whether the last key of an object differs from those before it; its value must be complete.
    @inline(__always)
    mutating func isNew(
        _ key: Int, on tokens: ContiguousArray<JSONTape.Token>, of bytes: UnsafeRawBufferPointer
    ) -> Bool {
        count += 1
        return tokens.withUnsafeBufferPointer { tokens in
            if count > Self.indexThreshold { return isNewByIndex(key, tokens, bytes) }
            var cursor = first
            while cursor < key {
                if Self.areEqual(tokens[cursor], tokens[key], bytes) { return false }
                cursor = Int(tokens[cursor + 1].next)
            }
            return true
        }
    }

    private mutating func isNewByIndex(
        _ key: Int, _ tokens: UnsafeBufferPointer<JSONTape.Token>, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        if index == nil {
            var cursor = first
            while cursor < key {
                indexed.append(cursor)
                cursor = Int(tokens[cursor + 1].next)
            }
            index = KeyIndex(hashes: indexed.map { Self.hash(tokens[$0], bytes) })
        }
        let hash = Self.hash(tokens[key], bytes)
        let known = index?.find(hash: hash) { Self.areEqual(tokens[indexed[$0]], tokens[key], bytes) }
        guard known == nil else { return false }
        index?.insert(indexed.count, hash: hash)
        indexed.append(key)
        return true
    }

    private static func content(_ token: JSONTape.Token, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = Int(token.start)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + Int(token.count))])
    }

    private static func hash(_ token: JSONTape.Token, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let content = content(token, bytes)
        if token.isEscaped { return JSONParser.unescaped(content).withUnsafeBytes { KeyIndex.hash($0) } }
        return KeyIndex.hash(content)
    }

    @inline(__always)
    private static func areEqual(
        _ a: JSONTape.Token, _ b: JSONTape.Token, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        if a.isEscaped || b.isEscaped { return areEqualUnescaped(a, b, bytes) }
        guard a.count == b.count, let base = bytes.baseAddress else { return a.count == b.count }
        return memcmp(base + Int(a.start), base + Int(b.start), Int(a.count)) == 0
    }

    private static func areEqualUnescaped(
        _ a: JSONTape.Token, _ b: JSONTape.Token, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        func plain(_ token: JSONTape.Token) -> [UInt8] {
            let content = content(token, bytes)
            return token.isEscaped ? JSONParser.unescaped(content) : Array(content)
        }
        return plain(a) == plain(b)
    }
}
