/// What happens to the matches of a split, as `SplitDelimiterBehavior` of the `tokenizers` library.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// Turns marked stretches, which together cover a piece, into pieces.
    func combine(_ parts: [(range: Range<Int>, isMatch: Bool)], into result: inout [Range<Int>]) {
        func add(_ range: Range<Int>) {
            if !range.isEmpty { result.append(range) }
        }
        switch self {
        case .isolated:
            for part in parts { add(part.range) }
        case .removed:
            for part in parts where !part.isMatch { add(part.range) }
        case .contiguous:
            var open: (range: Range<Int>, isMatch: Bool)?
            for part in parts where !part.range.isEmpty {
                if let current = open, current.isMatch == part.isMatch {
                    open = (current.range.lowerBound..<part.range.upperBound, part.isMatch)
                } else {
                    if let current = open { add(current.range) }
                    open = part
                }
            }
            if let current = open { add(current.range) }
        case .mergedWithPrevious:
            var previousIsMatch = false
            var open: Range<Int>?
            for part in parts where !part.range.isEmpty {
                if part.isMatch, !previousIsMatch, let current = open {
                    open = current.lowerBound..<part.range.upperBound
                } else {
                    if let current = open { add(current) }
                    open = part.range
                }
                previousIsMatch = part.isMatch
            }
            if let current = open { add(current) }
        case .mergedWithNext:
            var pending: Range<Int>?
            for part in parts where !part.range.isEmpty {
                if part.isMatch {
                    if let current = pending { add(current) }
                    pending = part.range
                } else if let current = pending {
                    add(current.lowerBound..<part.range.upperBound)
                    pending = nil
                } else {
                    add(part.range)
                }
            }
            if let current = pending { add(current) }
        }
    }
}
