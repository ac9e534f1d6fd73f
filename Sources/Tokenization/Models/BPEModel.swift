import Basics

/// Byte-pair encoding: a word's characters or bytes, merged pair by pair in the order of the merges.
///
/// Follows `models/bpe/model.rs` of the `tokenizers` library: byte fallback, fused unknowns, affixes, `ignore_merges`.
struct BPEModel: Sendable {
    /// How a word becomes its first tokens.
    enum Alphabet: Sendable {
        /// The word's raw bytes, each by its id; -1 for bytes without a token. The second table is for the last byte.
        case bytes([Int32], last: [Int32])
        /// Characters, looked up as strings.
        case characters
    }

    let alphabet: Alphabet
    /// Ids by token bytes: raw bytes for a byte alphabet, UTF-8 otherwise.
    let table: ByteTable
    let pairs: PairTable
    let unknown: Int32?
    let fusesUnknown: Bool
    /// Ids of `<0x00>` to `<0xFF>`, empty without byte fallback.
    let byteFallback: [Int32]
    /// Whole words that are tokens are taken as they are.
    let ignoresMerges: Bool
    let prefix: [UInt8]
    let suffix: [UInt8]
    /// No merge joins anything with a `▁` that is not at its start, so that words can be cut there.
    let cutsAtBlanks: Bool

    /// Reads the model; `usesBytes` when the pre-tokenizer hands over raw bytes.
    init(_ reader: StageReader, vocabulary: Vocabulary, usesBytes: Bool) throws {
        if let dropout = reader["dropout"]?.double, dropout != 0 {
            throw reader.failure("dropout", "merge dropout is not supported", fix: "set it to null")
        }
        prefix = Array((try reader.optionalString("continuing_subword_prefix") ?? "").utf8)
        suffix = Array((try reader.optionalString("end_of_word_suffix") ?? "").utf8)
        ignoresMerges = try reader.bool("ignore_merges", default: false)
        fusesUnknown = try reader.bool("fuse_unk", default: false)
        if let token = try reader.optionalString("unk_token") {
            // GPT-2's files name an unknown token that byte-level text never needs.
            unknown = vocabulary.ids[token]
        } else {
            unknown = nil
        }
        byteFallback = try reader.bool("byte_fallback", default: false) ? Self.byteTokens(vocabulary) : []
        let merges = try Self.readMerges(reader, vocabulary, prefixCount: prefix.count)
        pairs = merges.table
        // A cut must not separate unknown characters that would be one token, nor affixes from their word.
        let isPlain = prefix.isEmpty && suffix.isEmpty && !usesBytes && !ignoresMerges
        let neverUnknown = !byteFallback.isEmpty && !byteFallback.contains(-1)
        cutsAtBlanks =
            merges.cutsAtBlanks && isPlain && (neverUnknown || !fusesUnknown)
            && vocabulary.ids["\u{2581}"] != nil
        var table = ByteTable(capacity: vocabulary.ids.count)
        for (id, token) in vocabulary.tokens.enumerated() {
            guard let token else { continue }
            let bytes = usesBytes ? ByteAlphabet.bytes(of: token) : Array(token.utf8)
            if let bytes { table.insert(bytes, Int32(id)) }
        }
        self.table = table
        alphabet = usesBytes ? Self.byteAlphabet(vocabulary, suffix: suffix) : .characters
    }

    /// A model from parts, for SentencePiece files and the trainer.
    init(vocabulary: Vocabulary, pairs: PairTable, unknown: Int32?, byteFallback: Bool, cutsAtBlanks: Bool) {
        alphabet = .characters
        var table = ByteTable(capacity: vocabulary.ids.count)
        for (id, token) in vocabulary.tokens.enumerated() {
            if let token { table.insert(Array(token.utf8), Int32(id)) }
        }
        self.table = table
        self.pairs = pairs
        self.unknown = unknown
        fusesUnknown = true
        self.byteFallback = byteFallback ? Self.byteTokens(vocabulary) : []
        ignoresMerges = false
        prefix = []
        suffix = []
        self.cutsAtBlanks = cutsAtBlanks
    }

    static func byteTokens(_ vocabulary: Vocabulary) -> [Int32] {
        let digits = Array("0123456789ABCDEF")
        return (0..<256).map { vocabulary.ids["<0x\(digits[$0 >> 4])\(digits[$0 & 15])>"] ?? -1 }
    }

    private static func byteAlphabet(_ vocabulary: Vocabulary, suffix: [UInt8]) -> Alphabet {
        let ending = String(decoding: suffix, as: UTF8.self)
        let spelled = (0..<256).map { ByteAlphabet.string(of: CollectionOfOne(UInt8($0))) }
        let ids = spelled.map { vocabulary.ids[$0] ?? -1 }
        return .bytes(ids, last: suffix.isEmpty ? ids : spelled.map { vocabulary.ids[$0 + ending] ?? -1 })
    }

    /// Reads `merges`: pairs, or strings with one space between the parts.
    private static func readMerges(
        _ reader: StageReader, _ vocabulary: Vocabulary, prefixCount: Int
    ) throws -> (table: PairTable, cutsAtBlanks: Bool) {
        let list = try reader.array("merges")
        var table = PairTable(capacity: list.count)
        var cutsAtBlanks = true
        for (rank, entry) in list.enumerated() {
            let left: String
            let right: String
            if let pair = entry.array {
                guard pair.count == 2, let first = pair[0].string, let second = pair[1].string else {
                    throw reader.failure("merges[\(rank)]", "expected two strings")
                }
                (left, right) = (first, second)
            } else if let text = entry.string, let space = text.utf8.firstIndex(of: 0x20) {
                left = String(text[..<space])
                right = String(text[text.utf8.index(after: space)...])
                guard !right.utf8.contains(0x20) else {
                    throw reader.failure("merges[\(rank)]", "expected two parts with one space between them")
                }
            } else {
                throw reader.failure("merges[\(rank)]", "expected two strings, or one with a space between its parts")
            }
            let joined =
                prefixCount == 0
                ? left + right : left + String(decoding: right.utf8.dropFirst(prefixCount), as: UTF8.self)
            guard let leftID = vocabulary.ids[left], let rightID = vocabulary.ids[right],
                let id = vocabulary.ids[joined]
            else {
                let missing = [left, right, joined].first { vocabulary.ids[$0] == nil } ?? joined
                throw reader.failure(
                    "merges[\(rank)]", "the token \"\(missing)\" is not in the vocabulary",
                    fix: "the file is damaged: get it again")
            }
            if cutsAtBlanks { cutsAtBlanks = !Metaspace.hasInnerBlank(joined) }
            table.insert(leftID, rightID, PairTable.Merge(rank: Int32(rank), id: id))
        }
        return (table, cutsAtBlanks)
    }
}

extension Metaspace {
    /// Whether a `▁` stands behind another character in a token.
    static func hasInnerBlank(_ token: String) -> Bool {
        var seenOther = false
        for scalar in token.unicodeScalars {
            if scalar == "\u{2581}" {
                if seenOther { return true }
            } else {
                seenOther = true
            }
        }
        return false
    }
}
