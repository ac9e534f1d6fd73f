import Basics

/// The model that turns a piece of text into ids (`model` of `tokenizer.json`).
enum TokenModel: Sendable {
    case bpe(BPEModel)
    case unigram(UnigramModel)
    case wordPiece(WordPieceModel)

    /// Appends the ids of one piece.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        switch self {
        case .bpe(let model): model.encode(piece, scratch, to: &ids)
        case .unigram(let model): model.encode(piece, scratch, to: &ids)
        case .wordPiece(let model): model.encode(piece, to: &ids)
        }
    }

    /// Reads the model and its vocabulary.
    ///
    /// - Parameters:
    ///   - usesBytes: whether the pre-tokenizer can hand over raw bytes, which only BPE takes.
    ///   - special: ids of special tokens, which text alone never gives.
    static func read(
        _ reader: StageReader, usesBytes: Bool, special: Set<Int32>
    ) throws -> (model: TokenModel, vocabulary: Vocabulary) {
        let type = try type(reader)
        switch type {
        case "BPE":
            let vocabulary = try Vocabulary(reader, "vocab")
            return (.bpe(try BPEModel(reader, vocabulary: vocabulary, usesBytes: usesBytes)), vocabulary)
        case "Unigram":
            let (vocabulary, scores) = try UnigramModel.vocabulary(reader)
            var unknown: Int32?
            if reader["unk_id"] != nil {
                let id = try reader.int("unk_id")
                guard (0..<vocabulary.count).contains(id) else {
                    throw reader.failure("unk_id", "\(id) is not an id of the vocabulary")
                }
                unknown = Int32(id)
            }
            let model = UnigramModel(
                vocabulary: vocabulary, scores: scores, unknown: unknown,
                byteFallback: try reader.bool("byte_fallback", default: false), excluded: special)
            return (.unigram(model), vocabulary)
        case "WordPiece":
            let vocabulary = try Vocabulary(reader, "vocab")
            return (.wordPiece(try WordPieceModel(reader, vocabulary: vocabulary)), vocabulary)
        default:
            throw reader.unsupported(type, "model")
        }
    }

    /// The type of a model; files of early versions do not name it.
    static func type(_ reader: StageReader) throws -> String {
        if let type = try reader.optionalString("type") { return type }
        if reader["merges"] != nil { return "BPE" }
        return reader["vocab"]?.array != nil ? "Unigram" : "WordPiece"
    }
}
