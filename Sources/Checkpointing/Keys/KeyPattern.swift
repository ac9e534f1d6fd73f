/// A dotted name in which `{n}` stands for a number: `model.layers.{n}.self_attn.q_proj`.
///
/// A pattern matches a name that equals it or continues it behind a dot; what follows, such as `weight`, is the rest.
/// `*` stands for any one part and a final `**` for any rest at all, for keys that are ignored.
struct KeyPattern: Sendable, Hashable {
    let parts: [Substring]

    init(_ text: String) {
        parts = text.isEmpty ? [] : text.split(separator: ".", omittingEmptySubsequences: false)
    }

    /// What a pattern leaves of a name.
    struct Match {
        /// The numbers in order of their places.
        var numbers: [Substring]
        /// The parts behind the pattern.
        var rest: ArraySlice<Substring>
    }

    /// Parts that are written out; of several patterns that match, the one with the most is meant.
    var literalCount: Int { parts.reduce(0) { $0 + (["{n}", "*", "**"].contains($1) ? 0 : 1) } }

    func match(_ name: [Substring]) -> Match? {
        var match = Match(numbers: [], rest: [])
        for (position, part) in parts.enumerated() {
            if part == "**" { return match }
            guard position < name.count else { return nil }
            if part == "{n}" {
                guard !name[position].isEmpty, name[position].utf8.allSatisfy({ (48...57).contains($0) }) else {
                    return nil
                }
                match.numbers.append(name[position])
            } else if part != "*", part != name[position] {
                return nil
            }
        }
        match.rest = name[parts.count...]
        return match
    }

    /// The name that a match of another pattern corresponds to.
    func name(for match: Match) -> String {
        var numbers = match.numbers[...]
        let filled = parts.map { $0 == "{n}" ? numbers.popFirst() ?? $0 : $0 }
        return (filled + match.rest).joined(separator: ".")
    }

    static func split(_ name: String) -> [Substring] { name.split(separator: ".", omittingEmptySubsequences: false) }
}
