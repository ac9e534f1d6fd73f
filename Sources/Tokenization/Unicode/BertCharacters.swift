/// The characters that BERT's text cleaning treats in a special way.
enum BertCharacters {
    /// Control characters and others that cleaning removes.
    static func isRemoved(_ codePoint: UInt32) -> Bool { removed.containsInRuns(codePoint) }
    /// Chinese characters, which become words of their own.
    static func isChinese(_ codePoint: UInt32) -> Bool { chinese.containsInRuns(codePoint) }
    /// Accents, which are removed after decomposition.
    static func isAccent(_ codePoint: UInt32) -> Bool { accents.containsInRuns(codePoint) }
    /// ASCII punctuation and symbols, and other punctuation.
    static func isPunctuation(_ codePoint: UInt32) -> Bool { punctuation.containsInRuns(codePoint) }
}
