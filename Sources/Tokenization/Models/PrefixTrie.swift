/// Finds all tokens that begin a text: a double-array trie over bytes (Aoe 1989).
///
/// The child of a node by a byte stands at `base + byte`, if its `parent` is that node: one memory access a byte.
struct PrefixTrie: Sendable {
    /// A place of the array: a node, or free.
    struct Unit: Sendable {
        var base: Int32 = 0
        var parent: Int32 = -1
        /// Token that ends here, -1 for none.
        var token: Int32 = -1
    }

    /// All places, with room for any byte behind the last base.
    private(set) var units: [Unit]

    /// Makes a trie; of equal tokens the first one's id stays.
    init(_ tokens: [(token: String, id: Int32)]) {
        var bytes: [UInt8] = []
        var keys: [(start: Int, end: Int, id: Int32)] = []
        for (token, id) in tokens where !token.isEmpty {
            keys.append((bytes.count, bytes.count + token.utf8.count, id))
            bytes += token.utf8
        }
        bytes.withUnsafeBufferPointer { bytes in
            keys.sort { a, b in
                let (first, second) = (bytes[a.start..<a.end], bytes[b.start..<b.end])
                if first.lexicographicallyPrecedes(second) { return true }
                return a.id < b.id && !second.lexicographicallyPrecedes(first)
            }
        }
        units = [Unit(base: 0, parent: 0)]
        build(bytes, keys)
    }

    private mutating func build(_ bytes: [UInt8], _ keys: [(start: Int, end: Int, id: Int32)]) {
        var open: [(node: Int, keys: Range<Int>, depth: Int)] = [(0, keys.indices, 0)]
        var children: [(byte: Int, keys: Range<Int>)] = []
        var firstFree = 1
        while let (node, range, depth) = open.popLast() {
            children.removeAll(keepingCapacity: true)
            var index = range.lowerBound
            while index < range.upperBound, keys[index].end - keys[index].start == depth {
                if units[node].token < 0 { units[node].token = keys[index].id }
                index += 1
            }
            while index < range.upperBound {
                let byte = bytes[keys[index].start + depth], first = index
                while index < range.upperBound, bytes[keys[index].start + depth] == byte { index += 1 }
                children.append((Int(byte), first..<index))
            }
            guard let lowest = children.first?.byte else { continue }
            while firstFree < units.count, units[firstFree].parent >= 0 { firstFree += 1 }
            var base = max(1, firstFree - lowest), tries = 0
            while !children.allSatisfy({ isFree(base + $0.byte) }) {
                base += 1
                tries += 1
            }
            // Where a long stretch is nearly full it is not searched again.
            if tries > 256 { firstFree = max(firstFree, base + lowest - 64) }
            if units.count < base + 512 {
                units += repeatElement(Unit(), count: max(base + 512 - units.count, units.count / 2))
            }
            units[node].base = Int32(base)
            for (byte, keys) in children {
                units[base + byte].parent = Int32(node)
                open.append((base + byte, keys, depth + 1))
            }
        }
        if let last = units.lastIndex(where: { $0.parent >= 0 }) {
            units.removeLast(max(0, units.count - (last + 1)))
        }
        units += repeatElement(Unit(), count: 512)
    }

    private func isFree(_ index: Int) -> Bool { index >= units.count || units[index].parent < 0 }
}
