import Basics

/// The model that turns a piece of text into ids (`model` of `tokenizer.json`).
enum TokenModel: Sendable {
    case bpe(BPEModel)

    /// Appends the ids of one piece.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        switch self {
        case .bpe(let model): model.encode(piece, scratch, to: &ids)
        }
    }

    /// The type of a model; files of early versions do not name it.
    static func type(_ reader: StageReader) throws -> String {
        if let type = try reader.optionalString("type") { return type }
        if reader["merges"] != nil { return "BPE" }
        return reader["vocab"]?.array != nil ? "Unigram" : "WordPiece"
    }
}
