/// What BERT's code calls punctuation.
enum BertRules {
    /// ASCII punctuation and symbols, and the Unicode category P.
    static func isPunctuation(_ codePoint: UInt32) -> Bool {
        if codePoint < 0x80 {
            return (33...47).contains(codePoint) || (58...64).contains(codePoint) || (91...96).contains(codePoint)
                || (123...126).contains(codePoint)
        }
        return CharacterClass.of(codePoint).contains(.punctuation)
    }
}
