extension Tokenizer {
    /// The text of ids; unknown ids give nothing, bytes that are no valid UTF-8 become U+FFFD.
    ///
    /// - Parameters:
    ///   - skipSpecialTokens: whether special tokens are left out.
    ///   - cleansUpSpaces: whether spaces before punctuation are removed; nil: as `tokenizer_config.json` says.
    public func decode(
        _ ids: some Sequence<Int32>, skipSpecialTokens: Bool = true, cleansUpSpaces: Bool? = nil
    ) -> String {
        let text = decode(tokens: keptTokens(ids, skipSpecialTokens))
        return cleansUpSpaces ?? configuration.cleansUpSpaces ? SpaceCleanup.apply(text) : text
    }

    private func keptTokens(_ ids: some Sequence<Int32>, _ skipSpecialTokens: Bool) -> [String] {
        let kept = ids.filter { !(skipSpecialTokens && addedTokens.specialIDs.contains($0)) }
        return kept.compactMap(vocabulary.token)
    }

    /// The text of token strings.
    package func decode(tokens: [String]) -> String {
        guard let decoder else { return tokens.joined(separator: " ") }
        return String(decoding: decoder.apply(tokens.map { Array($0.utf8) }).flatMap { $0 }, as: UTF8.self)
    }
}
