import Basics

/// The content of a SentencePiece `tokenizer.model` (`sentencepiece_model.proto`), as far as encoding needs it.
struct SentencePieceFile: Sendable {
    /// What a piece is for.
    enum Kind: UInt64, Sendable {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    struct Piece: Sendable {
        var text = ""
        var score: Float = 0
        var kind = Kind.normal
    }

    enum ModelType: UInt64, Sendable {
        case unigram = 1
        case bpe = 2
    }

    private(set) var pieces: [Piece] = []
    private(set) var type = ModelType.unigram
    private(set) var usesByteFallback = false
    private(set) var characterMap: [UInt8] = []
    private(set) var addsDummyPrefix = true
    private(set) var removesExtraSpaces = true
    private(set) var escapesSpaces = true

    /// Reads a file's bytes.
    init(_ bytes: [UInt8], source: String) throws {
        do {
            var reader = ProtobufReader(bytes[...])
            while let (field, value) = try reader.next() {
                switch (field, value) {
                case (1, .bytes(let message)): pieces.append(try Self.piece(message))
                case (2, .bytes(let message)): try readTrainer(message, source)
                case (3, .bytes(let message)): try readNormalizer(message)
                default: continue
                }
            }
        } catch let damage as ProtobufReader.Damage {
            throw TokenizerProblem(
                source, "", "is no SentencePiece model, or damaged at byte \(damage.offset)",
                fix: "get the file again; Git LFS pointers are text of about 130 bytes")
        }
        guard !pieces.isEmpty else {
            throw TokenizerProblem(source, "", "holds no pieces", fix: "get the file again")
        }
    }

    private static func piece(_ message: ArraySlice<UInt8>) throws(ProtobufReader.Damage) -> Piece {
        var piece = Piece()
        var reader = ProtobufReader(message)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .bytes(let text)): piece.text = String(decoding: text, as: UTF8.self)
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .integer(let kind)): piece.kind = Kind(rawValue: kind) ?? .normal
            default: continue
            }
        }
        return piece
    }

    private mutating func readTrainer(_ message: ArraySlice<UInt8>, _ source: String) throws {
        var reader = ProtobufReader(message)
        while let (field, value) = try reader.next() {
            guard case .integer(let number) = value else { continue }
            if field == 3 {
                guard let known = ModelType(rawValue: number) else {
                    throw TokenizerProblem(
                        source, "trainer_spec.model_type",
                        "only unigram (1) and BPE (2) models are supported, not \(number)")
                }
                type = known
            }
            if field == 35 { usesByteFallback = number != 0 }
        }
    }

    private mutating func readNormalizer(_ message: ArraySlice<UInt8>) throws(ProtobufReader.Damage) {
        var reader = ProtobufReader(message)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (2, .bytes(let map)): characterMap = Array(map)
            case (3, .integer(let flag)): addsDummyPrefix = flag != 0
            case (4, .integer(let flag)): removesExtraSpaces = flag != 0
            case (5, .integer(let flag)): escapesSpaces = flag != 0
            default: continue
            }
        }
    }
}
