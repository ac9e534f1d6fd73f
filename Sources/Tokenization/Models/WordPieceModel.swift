import Basics

/// BERT's model: the longest token at each place of a word, those inside a word with a prefix.
///
/// Follows `models/wordpiece/mod.rs` of the `tokenizers` library.
struct WordPieceModel: Sendable {
    private let table: ByteTable
    private let unknown: Int32?
    private let prefix: [UInt8]
    private let maxCharacters: Int

    init(_ reader: StageReader, vocabulary: Vocabulary) throws {
        var table = ByteTable(capacity: vocabulary.ids.count)
        for (id, token) in vocabulary.tokens.enumerated() {
            if let token { table.insert(Array(token.utf8), Int32(id)) }
        }
        self.table = table
        let token = try reader.optionalString("unk_token") ?? "[UNK]"
        unknown = vocabulary.ids[token]
        prefix = Array((try reader.optionalString("continuing_subword_prefix") ?? "##").utf8)
        maxCharacters = try reader.int("max_input_chars_per_word", default: 100)
    }

    /// Appends the ids of one word; a word that cannot be put together is one unknown token.
    func encode(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) {
        let characters = word.count { $0 & 0xC0 != 0x80 }
        let first = ids.count
        var start = 0
        while start < word.count, characters <= maxCharacters {
            var end = min(word.count, start + table.longest)
            while end < word.count, word[end] & 0xC0 == 0x80 { end -= 1 }
            var id: Int32 = -1
            while end > start {
                id = lookUp(UnsafeBufferPointer(rebasing: word[start..<end]), isFirst: start == 0)
                if id >= 0 { break }
                end -= 1
                while end > start, word[end] & 0xC0 == 0x80 { end -= 1 }
            }
            if id < 0 { break }
            ids.append(id)
            start = end
        }
        if start < word.count {
            ids.removeLast(ids.count - first)
            if let unknown { ids.append(unknown) }
        }
    }

    private func lookUp(_ bytes: UnsafeBufferPointer<UInt8>, isFirst: Bool) -> Int32 {
        isFirst ? table.id(of: bytes) : table.id(of: prefix + bytes)
    }
}
