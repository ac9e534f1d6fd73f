/// A piece of a rendered conversation: text, a special token, or a picture.
///
/// Templates list segments; ids and loss mask are appended segment by segment, so that they cannot drift apart.
public enum TemplateSegment: Sendable, Equatable {
    /// Ordinary text: whatever it looks like, it never becomes a special token.
    case text(String, supervised: Bool = false)
    /// A special token of the tokenizer, by role or by its string.
    case special(SpecialToken, supervised: Bool = false)
    /// What the tokenizer itself puts in front of a text (often the beginning-of-text token, often nothing).
    case start
    /// The next picture's tokens.
    case image

    /// A special token that a template names.
    public enum SpecialToken: Sendable, Equatable {
        /// The tokenizer's beginning-of-text token; left out when it has none.
        case beginning
        /// The tokenizer's end-of-text token.
        case end
        /// The token with this string, for example `<|im_end|>`.
        case named(String)
    }

    /// Text with `<image>` markers as segments.
    public static func split(_ text: String, supervised: Bool = false) -> [TemplateSegment] {
        var result: [TemplateSegment] = []
        var piece: [UInt8] = []
        let bytes = Array(text.utf8)
        let marker = Array(Conversation.imageMarker.utf8)
        func flush() {
            if !piece.isEmpty { result.append(.text(String(decoding: piece, as: UTF8.self), supervised: supervised)) }
            piece.removeAll(keepingCapacity: true)
        }
        var index = 0
        while index < bytes.count {
            if bytes[index] == marker[0], bytes[index...].starts(with: marker) {
                flush()
                result.append(.image)
                index += marker.count
            } else {
                piece.append(bytes[index])
                index += 1
            }
        }
        flush()
        return result
    }

    /// The text of a text segment, empty for others.
    var plainText: String {
        if case .text(let text, _) = self { return text }
        return ""
    }
}
