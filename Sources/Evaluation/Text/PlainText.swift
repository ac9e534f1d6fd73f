/// Text handling on Unicode scalars, as Python's `str` does it, which the metrics' reference scripts rely on.
///
/// Swift compares characters by canonical equivalence; the scripts compare code points. Scores that must agree are
/// therefore computed on scalars.
enum PlainText {
    typealias Scalars = [Unicode.Scalar]

    /// Whether Python's `str.split` and `str.strip` take the scalar for white space.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }

    /// Whether the regular expression `\d` matches the scalar.
    static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .decimalNumber
    }

    /// The words between white space.
    static func words(_ text: String) -> [String] {
        words(Scalars(text.unicodeScalars)).map(string)
    }

    /// The words between white space, as scalars.
    static func words(_ text: Scalars) -> [ArraySlice<Unicode.Scalar>] {
        text.split(whereSeparator: isSpace)
    }

    /// The text without white space at its ends.
    static func trimmed(_ text: String) -> Scalars {
        let scalars = Scalars(text.unicodeScalars)
        guard let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        else { return [] }
        return Scalars(scalars[first...last])
    }

    /// A string of the scalars.
    static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// The number of insertions, deletions and changes that turn one text into the other (Levenshtein 1966).
    static func editDistance(_ a: Scalars, _ b: Scalars) -> Int {
        var previous = Array(0...b.count)
        var current = previous
        for i in a.indices {
            current[0] = i + 1
            for j in b.indices {
                let change = previous[j] + (a[i] == b[j] ? 0 : 1)
                current[j + 1] = min(change, previous[j + 1] + 1, current[j] + 1)
            }
            swap(&previous, &current)
        }
        return previous[b.count]
    }
}
