import Basics

extension Normalizer {
    /// Reads the stage from its JSON object.
    init(_ reader: StageReader) throws {
        let type = try reader.type()
        switch type {
        case "Sequence": self = .sequence(try reader.readers("normalizers").map(Normalizer.init))
        case "Prepend": self = .prepend(Array(try reader.string("prepend").utf8))
        case "Replace":
            self = .replace(try SplitPattern(reader, "pattern"), Array(try reader.string("content").utf8))
        case "NFC": self = .unicode(.composed)
        case "Lowercase": self = .lowercase
        case "Strip":
            self = .strip(
                left: try reader.bool("strip_left", default: true), right: try reader.bool("strip_right", default: true)
            )
        default: throw reader.unsupported(type, "normalizer")
        }
    }
}
