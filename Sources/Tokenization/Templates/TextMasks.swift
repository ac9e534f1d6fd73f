/// Stand-ins, of private-use characters, for what must come through a template untouched.
struct TextMasks {
    private var hidden: [String] = []
    private static let open: Unicode.Scalar = "\u{F0000}"
    private static let close: Unicode.Scalar = "\u{F0001}"
    private static let picture: Unicode.Scalar = "\u{F0002}"

    /// Stands for a picture.
    var image: String { String(Character(Self.picture)) }

    /// The text with special tokens, and the stand-ins' own characters, replaced.
    mutating func hide(_ text: String, _ tokens: AddedTokens) -> String {
        var result = ""
        let bytes = Array(text.utf8)
        bytes.withUnsafeBufferPointer { buffer in
            for match in tokens.split(buffer, normalized: false, allowSpecial: true) {
                let piece = String(decoding: buffer[match.range], as: UTF8.self)
                let isSpecial = match.id.map(tokens.specialIDs.contains) ?? false
                let clashes = piece.unicodeScalars.contains { [Self.open, Self.close, Self.picture].contains($0) }
                if isSpecial || clashes {
                    result += "\(Self.open)\(hidden.count)\(Self.close)"
                    hidden.append(piece)
                } else {
                    result += piece
                }
            }
        }
        return result
    }

    /// Text with what was hidden back in its place, and pictures as segments of their own.
    ///
    /// - Parameter imageToken: text that stands for a picture as well, when it is no token of the tokenizer.
    func reveal(_ text: String, imageToken: String?, _ isSupervised: Bool) -> [TemplateSegment] {
        var result: [TemplateSegment] = []
        var open = ""
        var number: String?
        func flush() {
            let parts = open.isEmpty ? [] : [TemplateSegment.text(open, supervised: isSupervised)]
            result += parts
            open = ""
        }
        for scalar in text.unicodeScalars {
            if scalar == Self.open {
                number = ""
            } else if scalar == Self.close, let digits = number {
                if let index = Int(digits), hidden.indices.contains(index) { open += hidden[index] }
                number = nil
            } else if number != nil {
                number?.unicodeScalars.append(scalar)
            } else if scalar == Self.picture {
                flush()
                result.append(.image)
            } else {
                open.unicodeScalars.append(scalar)
            }
        }
        flush()
        guard let imageToken, imageToken == Conversation.imageMarker else { return result }
        return result.flatMap { segment -> [TemplateSegment] in
            if case .text(let text, let supervised) = segment {
                return TemplateSegment.split(text, supervised: supervised)
            }
            return [segment]
        }
    }
}
