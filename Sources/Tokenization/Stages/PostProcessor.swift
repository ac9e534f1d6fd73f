import Basics

/// Adds the tokens around a text (`post_processor` of `tokenizer.json`), for single texts.
struct PostProcessor: Sendable, Equatable {
    var prefix: [Int32] = []
    var suffix: [Int32] = []

    init(prefix: [Int32] = [], suffix: [Int32] = []) {
        self.prefix = prefix
        self.suffix = suffix
    }

    /// Reads the stage; several in a sequence wrap each other.
    init(_ reader: StageReader) throws {
        self.init()
        let type = try reader.type()
        switch type {
        case "Sequence":
            for stage in try reader.readers("processors").map({ try PostProcessor($0) }) {
                prefix = stage.prefix + prefix
                suffix += stage.suffix
            }
        case "TemplateProcessing": self = try PostProcessor(template: reader)
        case "ByteLevel": break
        case "BertProcessing", "RobertaProcessing":
            prefix = [try Self.tokenID(reader, "cls")]
            suffix = [try Self.tokenID(reader, "sep")]
        default: throw reader.unsupported(type, "post-processor")
        }
    }

    /// `["[CLS]", 101]`
    private static func tokenID(_ reader: StageReader, _ key: String) throws -> Int32 {
        let pair = try reader.array(key)
        guard pair.count == 2, let id = pair[1].int, (0...Vocabulary.largestID).contains(id) else {
            throw reader.failure(key, "expected a token and its id")
        }
        return Int32(id)
    }

    private init(template reader: StageReader) throws {
        let specials = try reader.reader("special_tokens")
        self.init()
        var seenText = false
        for piece in try reader.readers("single") {
            if piece["Sequence"] != nil {
                guard !seenText else { throw reader.failure("single", "the text stands in it twice") }
                seenText = true
                continue
            }
            guard let token = try piece.reader("SpecialToken") else {
                throw piece.failure("SpecialToken", "expected a special token or a sequence")
            }
            let name = try token.string("id")
            guard let entry = try specials?.reader(name), let ids = entry["ids"]?.array else {
                throw reader.failure("special_tokens", "\"\(name)\" is missing")
            }
            for value in ids {
                guard let id = value.int, (0...Vocabulary.largestID).contains(id) else {
                    throw entry.failure("ids", "expected ids")
                }
                if seenText { suffix.append(Int32(id)) } else { prefix.append(Int32(id)) }
            }
        }
    }
}
