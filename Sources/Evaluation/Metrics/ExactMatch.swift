/// The share of predictions that equal one of their references.
public struct ExactMatch: Metric {
    /// Whether case, white space and final punctuation are set aside before comparing.
    public let folding: Bool

    /// Creates the metric; strict, every code point counts, unless `folding` is asked for.
    public init(folding: Bool = false) {
        self.folding = folding
    }

    /// `exact`, or `exact-folded`.
    public var name: String { folding ? "exact-folded" : "exact" }

    /// One line for help screens.
    public var summary: String {
        folding
            ? "share equal to a reference but for case, white space and final punctuation"
            : "share equal to a reference in every character"
    }

    /// One for a match, zero otherwise, an item.
    public func measure(_ predictions: [Prediction]) -> Measurement {
        let values = predictions.map { item in
            let wanted = form(item.prediction)
            return item.references.contains { form($0) == wanted } ? 1.0 : 0.0
        }
        return Measurement(meanOf: values, name: name, isBinary: true)
    }

    /// What is compared: the text's code points, folded where asked.
    private func form(_ text: String) -> [Unicode.Scalar] {
        folding ? Array(Self.folded(text).unicodeScalars) : Array(text.unicodeScalars)
    }

    /// The text in lower case, white space runs as one space, none at the ends, and no `. , ; : ! ?` at its end.
    package static func folded(_ text: String) -> String {
        var text = PlainText.words(text.lowercased()).joined(separator: " ")
        while let last = text.unicodeScalars.last, ".,;:!?。！？".unicodeScalars.contains(last) || last == " " {
            text.unicodeScalars.removeLast()
        }
        return text
    }
}
