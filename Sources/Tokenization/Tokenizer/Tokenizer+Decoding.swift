extension Tokenizer {
    /// The text of ids; unknown ids give nothing, bytes that are no valid UTF-8 become U+FFFD.
    ///
    /// - Parameters:
    ///   - skipSpecialTokens: whether special tokens are left out.
    ///   - cleansUpSpaces: whether spaces before punctuation are removed; nil: as `tokenizer_config.json` says.
    public func decode(
        _ ids: some Sequence<Int32>, skipSpecialTokens: Bool = true, cleansUpSpaces: Bool? = nil
    ) -> String {
        let kept = ids.filter { !(skipSpecialTokens && addedTokens.specialIDs.contains($0)) }
        let tokens = kept.compactMap { vocabulary.token($0).map { Array($0.utf8) } }
        let text: String
        if let decoder {
            text = String(decoding: decoder.apply(tokens).flatMap { $0 }, as: UTF8.self)
        } else {
            text = tokens.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
        return cleansUpSpaces ?? configuration.cleansUpSpaces ? SpaceCleanup.apply(text) : text
    }
}
