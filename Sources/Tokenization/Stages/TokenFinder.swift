/// Finds the leftmost, longest of a set of byte strings: a trie, entered only at bytes that begin one of them.
struct TokenFinder: Sendable {
    private struct Node: Sendable {
        var children: [UInt8: Int32] = [:]
        var token: Int32 = -1
    }

    private var nodes = [Node()]
    private var begins = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { nodes.count == 1 }

    /// Adds a string; of equal strings the last counts.
    mutating func insert(_ bytes: [UInt8], _ token: Int) {
        guard let first = bytes.first else { return }
        begins[Int(first)] = true
        var node = 0
        for byte in bytes {
            if let child = nodes[node].children[byte] {
                node = Int(child)
            } else {
                nodes.append(Node())
                nodes[node].children[byte] = Int32(nodes.count - 1)
                node = nodes.count - 1
            }
        }
        nodes[node].token = Int32(token)
    }

    /// The first string found at or behind `start`.
    func next(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> (range: Range<Int>, token: Int)? {
        guard !isEmpty else { return nil }
        var index = start
        while index < text.count {
            if begins[Int(text[index])], let found = longest(in: text, at: index) { return found }
            index += 1
        }
        return nil
    }

    private func longest(in text: UnsafeBufferPointer<UInt8>, at start: Int) -> (range: Range<Int>, token: Int)? {
        var node = 0
        var index = start
        var best: (range: Range<Int>, token: Int)?
        while index < text.count, let child = nodes[node].children[text[index]] {
            node = Int(child)
            index += 1
            if nodes[node].token >= 0 { best = (start..<index, Int(nodes[node].token)) }
        }
        return best
    }
}
