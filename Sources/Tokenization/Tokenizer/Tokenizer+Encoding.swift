extension Tokenizer {
    /// The ids of a text.
    ///
    /// - Parameters:
    ///   - text: any text.
    ///   - addSpecialTokens: whether to put the tokens around it that the tokenizer's post-processor names, often the
    ///     beginning-of-text token.
    ///   - allowSpecial: whether special tokens written in the text (`</s>`) become those tokens, as the `tokenizers`
    ///     library does by default. Here they stay ordinary text unless asked: a user's text can then never end a turn.
    ///     Added tokens that are not special are recognised either way.
    public func encode(_ text: String, addSpecialTokens: Bool = false, allowSpecial: Bool = false) -> [Int32] {
        var ids: [Int32] = addSpecialTokens ? postProcessor.prefix : []
        append(text, at: .start, allowSpecial: allowSpecial, to: &ids)
        if addSpecialTokens { ids += postProcessor.suffix }
        return ids
    }

    /// The ids of a stretch of a longer text, special tokens in it as ordinary text.
    package func encode(_ text: String, at position: TextPosition) -> [Int32] {
        var ids: [Int32] = []
        append(text, at: position, allowSpecial: false, to: &ids)
        return ids
    }

    private func append(_ text: String, at position: TextPosition, allowSpecial: Bool, to ids: inout [Int32]) {
        var text = text
        text.withUTF8 { bytes in
            guard !bytes.isEmpty else { return }
            scratch.borrow { scratch in
                for match in addedTokens.split(bytes, normalized: false, allowSpecial: allowSpecial) {
                    if let id = match.id {
                        ids.append(id)
                    } else {
                        let place = place(of: match, in: position)
                        let piece = UnsafeBufferPointer(rebasing: bytes[match.range])
                        appendPlain(piece, at: place, allowSpecial: allowSpecial, scratch, to: &ids)
                    }
                }
            }
        }
    }

    /// The pieces of a text that the model would tokenize one by one, in the spelling of the normalized text.
    package func pieces(_ text: String) -> [String] {
        let normalized = normalizer?.apply(Array(text.utf8), at: .start) ?? Array(text.utf8)
        guard !normalized.isEmpty else { return [] }
        var list = PieceList(bytes: normalized, pieces: [0..<normalized.count])
        preTokenizer?.apply(&list, at: .start)
        return list.pieces.map { String(decoding: list.bytes[$0], as: UTF8.self) }
    }

    /// Only the first stretch is at the text's start or continues what stands before it.
    private func place(of match: AddedTokens.Match, in position: TextPosition) -> TextPosition {
        match.range.lowerBound == 0 ? position : .afterSpecialToken
    }

    /// Text without tokens that are found before normalizing.
    private func appendPlain(
        _ bytes: UnsafeBufferPointer<UInt8>, at position: TextPosition, allowSpecial: Bool,
        _ scratch: EncodingScratch, to ids: inout [Int32]
    ) {
        var text = Array(bytes)
        if let normalizer { text = normalizer.apply(text, at: position) }
        guard addedTokens.hasNormalized else { return appendWords(text, at: position, scratch, to: &ids) }
        text.withUnsafeBufferPointer { bytes in
            for match in addedTokens.split(bytes, normalized: true, allowSpecial: allowSpecial) {
                if let id = match.id {
                    ids.append(id)
                } else {
                    appendWords(Array(bytes[match.range]), at: place(of: match, in: position), scratch, to: &ids)
                }
            }
        }
    }

    /// Normalized text without added tokens.
    private func appendWords(
        _ text: [UInt8], at position: TextPosition, _ scratch: EncodingScratch, to ids: inout [Int32]
    ) {
        guard !text.isEmpty else { return }
        var list = PieceList(bytes: text, pieces: [0..<text.count])
        preTokenizer?.apply(&list, at: position)
        list.bytes.withUnsafeBufferPointer { bytes in
            for piece in list.pieces {
                model.encode(UnsafeBufferPointer(rebasing: bytes[piece]), scratch, to: &ids)
            }
        }
    }
}
