/// Finds all tokens that begin a text: a trie over bytes with its edges in one hash table.
struct PrefixTrie: Sendable {
    /// `(node, byte)` to the next node; the rank of an edge is not used.
    private var edges: PairTable
    /// Token of each node, -1 for none.
    private var tokens: [Int32] = [-1]

    /// Makes a trie for tokens of so many bytes in all.
    init(byteCount: Int) {
        edges = PairTable(capacity: byteCount)
    }

    /// Adds a token; the first id of equal tokens stays.
    mutating func insert(_ bytes: some Sequence<UInt8>, _ id: Int32) {
        var node: Int32 = 0
        for byte in bytes {
            let next = edges.withLookup { $0(node, Int32(byte)) }
            if next.rank != .max {
                node = next.id
            } else {
                tokens.append(-1)
                let child = Int32(tokens.count - 1)
                edges.insert(node, Int32(byte), PairTable.Merge(rank: 0, id: child))
                node = child
            }
        }
        if tokens[Int(node)] < 0 { tokens[Int(node)] = id }
    }

    /// Calls `body` with length and id of each token that stands at an index, shortest first.
    func forEachPrefix(_ text: UnsafeBufferPointer<UInt8>, at start: Int, _ body: (Int, Int32) -> Void) {
        edges.withLookup { lookup in
            var node: Int32 = 0
            var index = start
            while index < text.count {
                let next = lookup(node, Int32(text[index]))
                if next.rank == .max { return }
                node = next.id
                index += 1
                if tokens[Int(node)] >= 0 { body(index - start, tokens[Int(node)]) }
            }
        }
    }
}
