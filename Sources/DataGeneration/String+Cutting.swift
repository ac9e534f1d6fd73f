/// Small cuts of texts, without Foundation.
extension String {
    /// Without white space at both ends.
    var stripped: String {
        guard let first = unicodeScalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = unicodeScalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(unicodeScalars[first...last])
    }

    /// The text between two marks, nil when one is missing.
    func between(_ open: String, _ close: String) -> String? {
        guard let start = range(of: open, from: startIndex), let end = range(of: close, from: start.upperBound) else {
            return nil
        }
        return String(self[start.upperBound..<end.lowerBound]).stripped
    }

    /// The text cut at every occurrence of a mark.
    func pieces(at mark: String) -> [String] {
        var pieces: [String] = []
        var start = startIndex
        while let hit = range(of: mark, from: start) {
            pieces.append(String(self[start..<hit.lowerBound]))
            start = hit.upperBound
        }
        return pieces + [String(self[start...])]
    }

    /// The first place of a text at or after another place.
    func range(of mark: String, from start: Index) -> Range<Index>? {
        let bytes = utf8
        let pattern = Array(mark.utf8)
        guard let first = pattern.first else { return nil }
        var place = start
        while let hit = bytes[place...].firstIndex(of: first) {
            if bytes[hit...].starts(with: pattern) { return hit..<bytes.index(hit, offsetBy: pattern.count) }
            place = bytes.index(after: hit)
        }
        return nil
    }

    /// The items of a numbered list (`1.`, `2 .`, `3)` at the start of a line).
    var numberedItems: [String] {
        var items: [String] = []
        for line in split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            let rest = line.drop { $0 == " " || $0 == "\t" }
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            let tail = rest.dropFirst(digits.count).drop { $0 == " " }
            if !digits.isEmpty, let mark = tail.first, mark == "." || mark == ")" {
                items.append(String(tail.dropFirst()))
            } else if !items.isEmpty {
                items[items.count - 1] += "\n" + line
            }
        }
        return items.map(\.stripped).filter { !$0.isEmpty }
    }
}
