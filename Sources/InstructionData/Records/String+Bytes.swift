#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Byte-wise text searches: the same results as Foundation's literal ones, without loading Foundation.
extension String {
    /// The first place of a text in this one.
    func firstRange(ofUTF8 needle: String) -> Range<String.Index>? {
        guard let offset = utf8.firstOffset(of: needle.utf8) else { return nil }
        let lower = utf8.index(startIndex, offsetBy: offset)
        return lower..<utf8.index(lower, offsetBy: needle.utf8.count)
    }

    /// Whether there is nothing but white space (space, tab, line ends).
    var isBlank: Bool { utf8.allSatisfy { $0 == 32 || (9...13).contains($0) } }

    /// How often a text stands in this one, not overlapping.
    func count(ofUTF8 needle: String) -> Int {
        guard let first = utf8.firstOffset(of: needle.utf8) else { return 0 }
        if first + 2 * needle.utf8.count > utf8.count { return 1 }
        var count = 0
        var rest = utf8[...]
        while let offset = rest.firstOffset(of: needle.utf8) {
            count += 1
            rest = rest.dropFirst(offset + needle.utf8.count)
        }
        return count
    }

    /// This text with every occurrence of another replaced.
    func replacing(utf8 needle: String, with replacement: String) -> String {
        guard utf8.firstOffset(of: needle.utf8) != nil else { return self }
        var result: [UInt8] = []
        var rest = utf8[...]
        while let offset = rest.firstOffset(of: needle.utf8) {
            result.append(contentsOf: rest.prefix(offset))
            result.append(contentsOf: replacement.utf8)
            rest = rest.dropFirst(offset + needle.utf8.count)
        }
        result.append(contentsOf: rest)
        return String(decoding: result, as: UTF8.self)
    }

    /// This text without white space (space, tab, line ends) at both ends.
    var trimmed: String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
        guard let first = utf8.firstIndex(where: { !isSpace($0) }),
            let last = utf8.lastIndex(where: { !isSpace($0) })
        else { return "" }
        if first == startIndex, utf8.index(after: last) == endIndex { return self }
        return String(self[first...last])
    }
}

extension Collection where Element == UInt8 {
    /// Bytes before the first occurrence of a pattern, nil when there is none or the pattern is empty.
    func firstOffset(of pattern: some Collection<UInt8>) -> Int? {
        guard let head = pattern.first else { return nil }
        // Nearly every text is in one piece, and nearly none holds the pattern: the C library looks for its first byte.
        let fast = withContiguousStorageIfAvailable { bytes -> Int? in
            var start = 0
            while start < bytes.count, let base = bytes.baseAddress,
                let hit = memchr(base + start, Int32(head), bytes.count - start)
            {
                let offset = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
                if bytes.count - offset < pattern.count { return nil }
                if bytes[offset...].starts(with: pattern) { return offset }
                start = offset + 1
            }
            return nil
        }
        if let fast { return fast }
        var start = startIndex
        var offset = 0
        while let hit = self[start...].firstIndex(of: head) {
            offset += distance(from: start, to: hit)
            let tail = self[hit...]
            if tail.count < pattern.count { return nil }
            if tail.starts(with: pattern) { return offset }
            start = index(after: hit)
            offset += 1
        }
        return nil
    }
}
