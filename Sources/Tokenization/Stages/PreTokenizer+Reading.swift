import Basics

extension PreTokenizer {
    /// Reads the stage from its JSON object.
    init(_ reader: StageReader) throws {
        let type = try reader.type()
        switch type {
        case "Sequence":
            self = .sequence(try reader.readers("pretokenizers").map(PreTokenizer.init))
        case "ByteLevel":
            self = .byteLevel(
                addPrefixSpace: try reader.bool("add_prefix_space", default: true),
                useRegex: try reader.bool("use_regex", default: true), spellsOut: true)
        case "Split":
            let pattern = try SplitPattern(reader, "pattern")
            let behavior = try Self.behavior(reader, default: nil)
            self = .split(pattern, behavior, invert: try reader.bool("invert", default: false))
        case "CharDelimiterSplit":
            let delimiter = try reader.string("delimiter")
            self = .split(.literal(Array(delimiter.utf8)), .removed, invert: false)
        case "Digits":
            self = .digits(individual: try reader.bool("individual_digits", default: false))
        case "Punctuation":
            self = .punctuation(try Self.behavior(reader, default: .isolated))
        case "Whitespace": self = .whitespace
        case "WhitespaceSplit": self = .whitespaceSplit
        case "BertPreTokenizer": self = .bert
        case "Metaspace": self = .metaspace(try Metaspace(reader))
        default: throw reader.unsupported(type, "pre-tokenizer")
        }
    }

    private static func behavior(_ reader: StageReader, default fallback: SplitBehavior?) throws -> SplitBehavior {
        if let fallback, reader["behavior"] == nil { return fallback }
        let name = try reader.string("behavior")
        guard let behavior = SplitBehavior(rawValue: name) else {
            throw reader.failure("behavior", "\"\(name)\" is not a split behavior")
        }
        return behavior
    }

    /// The same stage with the bytes left as they are when byte-level is the last step, and whether it is.
    func leavingBytes() -> (stage: PreTokenizer, isByteLevel: Bool) {
        switch self {
        case .byteLevel(let addPrefixSpace, let useRegex, _):
            return (.byteLevel(addPrefixSpace: addPrefixSpace, useRegex: useRegex, spellsOut: false), true)
        case .sequence(var stages):
            guard let (last, isByteLevel) = stages.last?.leavingBytes(), isByteLevel else { return (self, false) }
            stages[stages.count - 1] = last
            return (.sequence(stages), true)
        default:
            return (self, false)
        }
    }
}
