/// The nearest known word to one that is not known, for "did you mean".
public enum Suggestion {
    /// The candidate that needs the fewest edits from `word`; nil when even that one is too far to be a slip.
    ///
    /// Edits are insertions, deletions, changes and swaps of neighbours (Damerau–Levenshtein, optimal string
    /// alignment), case ignored. At most a third of the longer word may differ. The first of equals wins.
    public static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(word.lowercased().unicodeScalars.prefix(longest))
        var best: (distance: Int, candidate: String)?
        for candidate in candidates {
            let offered = Array(candidate.lowercased().unicodeScalars.prefix(longest))
            let allowed = min(max(1, max(wanted.count, offered.count) / 3), (best?.distance ?? .max) - 1)
            guard abs(wanted.count - offered.count) <= allowed else { continue }
            let distance = editDistance(wanted, offered)
            if distance <= allowed { best = (distance, candidate) }
        }
        return best?.candidate
    }

    /// What to write instead of `word`: the nearest candidate, or where none is near, `otherwise` or a list of them all.
    public static func fix(
        for word: String, among candidates: some Sequence<String>, or otherwise: String? = nil
    ) -> String {
        nearest(to: word, among: candidates).map { "write \"\($0)\"" }
            ?? otherwise ?? "one of \(candidates.joined(separator: ", "))"
    }

    /// ` (did you mean "…"?)`, or nothing when no candidate is near.
    public static func phrase(for word: String, among candidates: some Sequence<String>) -> String {
        nearest(to: word, among: candidates).map { " (did you mean \"\($0)\"?)" } ?? ""
    }

    /// Characters compared; longer words are cut, which bounds the work on hostile input.
    private static let longest = 128

    /// The number of edits between two words.
    static func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
        var beforePrevious = [Int](repeating: 0, count: b.count + 1)
        var previous = Array(0...b.count)
        var current = previous
        for i in 0..<a.count {
            current[0] = i + 1
            for j in 0..<b.count {
                var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforePrevious[j - 1] + 1) }
                current[j + 1] = cost
            }
            (beforePrevious, previous, current) = (previous, current, beforePrevious)
        }
        return previous[b.count]
    }
}
