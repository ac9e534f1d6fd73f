/// How caption metrics cut text into words.
public enum CaptionTokenizer: Equatable, Sendable {
    /// At white space only: for text that is tokenised already.
    case whitespace
    /// Lower case, punctuation dropped, `'s`, `n't` and their kin split off, hyphenated words and numbers whole.
    ///
    /// This gives the tokens of coco-caption's Penn Treebank tokenizer on plain sentences; rare marks may differ.
    case caption

    /// The words of a text.
    public func words(_ text: String) -> [String] {
        switch self {
        case .whitespace: PlainText.words(text)
        case .caption: Self.captionWords(text)
        }
    }

    /// Marks that are no token of their own.
    private static let dropped = Set(".,;:!?'\"`-()[]{}…–—“”‘’".unicodeScalars)

    private static let clitics = ["'s", "'re", "'ve", "'ll", "'d", "'m", "n't"]

    private static func captionWords(_ text: String) -> [String] {
        let scalars = text.lowercased().unicodeScalars.map { $0 == "’" ? "'" : $0 }
        var words: [String] = []
        var word: [Unicode.Scalar] = []
        func finish() {
            if !word.isEmpty { words += splittingClitic(PlainText.string(word)) }
            word = []
        }
        for (index, scalar) in scalars.enumerated() {
            if isWordPart(scalar) || isInside(scalars, index) {
                word.append(scalar)
            } else {
                finish()
                if !PlainText.isSpace(scalar), !dropped.contains(scalar) { words.append(String(scalar)) }
            }
        }
        finish()
        return words
    }

    private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark:
            true
        default: false
        }
    }

    /// Whether a mark belongs to the word around it: `-`, `'`, `.` and `_` between letters or digits, `,` `:` and `/`
    /// between digits.
    private static func isInside(_ text: [Unicode.Scalar], _ index: Int) -> Bool {
        guard index > 0, index + 1 < text.count else { return false }
        let (before, after) = (text[index - 1], text[index + 1])
        switch text[index] {
        case "-", "'", ".", "_": return isWordPart(before) && isWordPart(after)
        case ",", ":", "/": return PlainText.isDigit(before) && PlainText.isDigit(after)
        default: return false
        }
    }

    private static func splittingClitic(_ word: String) -> [String] {
        for clitic in clitics where word.hasSuffix(clitic) && word.count > clitic.count {
            return [String(word.dropLast(clitic.count)), clitic]
        }
        return [word]
    }
}
