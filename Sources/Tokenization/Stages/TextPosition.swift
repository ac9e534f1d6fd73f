/// Where a stretch of text stands; decides whether a tokenizer puts its leading space in front of it.
package enum TextPosition: Sendable {
    /// At the very start of the text.
    case start
    /// Behind a special token or a picture in the same text.
    case afterSpecialToken
    /// Directly behind other text: nothing is put in front, whatever the tokenizer does elsewhere.
    case continuing
}
