/// Decodes ids one by one as they are generated, without ever splitting a character.
///
/// The pieces that ``push(_:)`` and ``finish()`` give, joined, are what decoding all ids at once gives (without the
/// clean-up of spaces).
public struct StreamingDecoder {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    /// Ids whose text may still change, after those that only give the context for the space in front.
    private var pending: [Int32] = []
    private var contextCount = 0
    private var contextText = ""

    /// Makes a decoder for one sequence.
    public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
        self.tokenizer = tokenizer
        skipsSpecialTokens = skipSpecialTokens
    }

    /// Adds an id and gives the text that is now certain; empty while a character is incomplete.
    public mutating func push(_ id: Int32) -> String {
        if skipsSpecialTokens, tokenizer.isSpecial(id) { return "" }
        guard tokenizer.token(id) != nil else { return "" }
        pending.append(id)
        let text = decode(pending)
        guard text.unicodeScalars.last != "\u{FFFD}" else { return "" }
        return emit(text)
    }

    /// The rest: what was held back because its last character never became complete.
    public mutating func finish() -> String {
        defer {
            pending = []
            contextCount = 0
            contextText = ""
        }
        return pending.count > contextCount ? emit(decode(pending)) : ""
    }

    private mutating func emit(_ text: String) -> String {
        guard text.utf8.count >= contextText.utf8.count, text.utf8.starts(with: contextText.utf8) else { return "" }
        let new = String(decoding: text.utf8.dropFirst(contextText.utf8.count), as: UTF8.self)
        // Keep the last pushed ids as context, so that the next one is not taken for the first of a text.
        pending.removeFirst(contextCount)
        contextCount = pending.count
        contextText = decode(pending)
        return new
    }

    private func decode(_ ids: [Int32]) -> String {
        tokenizer.decode(ids, skipSpecialTokens: false, cleansUpSpaces: false)
    }
}
