/// Finds the elements of a huge JSON array, or the lines of a JSONL file, without building values.
///
/// A dataset keeps these byte ranges and parses one record at a time. Only what is needed to find the borders is
/// checked here (strings, brackets, commas); the rest of a record's syntax is checked when it is parsed.
public enum JSONScanner {
    /// The byte range of each element of the array that `bytes` holds, in order.
    /// - Throws: ``JSONError`` when the text is no array, ends early, or nests brackets wrongly between elements.
    public static func elements(
        of bytes: UnsafeRawBufferPointer, source: String = "JSON text"
    ) throws(JSONError) -> [Range<Int>] {
        var parser = JSONParser(bytes, source: source, limits: JSONLimits(bytes: .max))
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { parser.position = 3 }
        parser.skipSpace()
        guard parser.position < bytes.count, bytes[parser.position] == UInt8(ascii: "[") else {
            throw parser.failure(
                "expected an array, found \(parser.shown(parser.position))",
                fix: "the file must hold one JSON array of records, or one record a line and be named .jsonl")
        }
        parser.position += 1
        parser.skipSpace()
        var ranges: [Range<Int>] = []
        if parser.position < bytes.count, bytes[parser.position] == UInt8(ascii: "]") {
            parser.position += 1
        } else {
            try scanElements(&parser, into: &ranges)
        }
        parser.skipSpace()
        guard parser.position == bytes.count else {
            throw parser.failure("unexpected \(parser.shown(parser.position)) after the end of the array")
        }
        return ranges
    }

    private static func scanElements(
        _ parser: inout JSONParser, into ranges: inout [Range<Int>]
    ) throws(JSONError) {
        let bytes = parser.bytes
        while true {
            let start = parser.position
            try skipValue(&parser)
            var end = parser.position
            while end > start, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[end - 1]) { end -= 1 }
            guard end > start else {
                throw parser.failure("expected a value, found \(parser.shown(parser.position))")
            }
            ranges.append(start..<end)
            let closing = bytes[parser.position] == UInt8(ascii: "]")
            parser.position += 1
            if closing { return }
            parser.skipSpace()
        }
    }

    /// Moves to the comma or bracket that ends the element at `position`.
    private static func skipValue(_ parser: inout JSONParser) throws(JSONError) {
        let bytes = parser.bytes
        var depth = 0
        var cursor = parser.position
        while cursor < bytes.count {
            switch bytes[cursor] {
            case UInt8(ascii: "\""):
                guard let end = endOfString(bytes, from: cursor) else {
                    throw parser.failure(
                        "the string that starts here has no end", at: cursor,
                        fix: "if the file was cut short, copy or download it again")
                }
                cursor = end
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]") where depth == 0, UInt8(ascii: ",") where depth == 0:
                parser.position = cursor
                return
            case UInt8(ascii: "}") where depth == 0: throw parser.failure("a \"}\" without its \"{\"", at: cursor)
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            default: break
            }
            cursor += 1
        }
        throw parser.endOfText()
    }

    /// The offset of the quote that closes the string opened at `start`.
    private static func endOfString(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var cursor = start + 1
        while cursor < bytes.count {
            if bytes[cursor] == UInt8(ascii: "\"") { return cursor }
            cursor += bytes[cursor] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    /// The byte range of each line that holds more than white space, with its number counted from 1.
    public static func lines(of bytes: UnsafeRawBufferPointer) -> [(number: Int, range: Range<Int>)] {
        var lines: [(number: Int, range: Range<Int>)] = []
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var number = 0
        while start < bytes.count {
            number += 1
            let end = UTF8Text.firstIndex(of: UInt8(ascii: "\n"), in: bytes, from: start) ?? bytes.count
            let trimmed = end > start && bytes[end - 1] == UInt8(ascii: "\r") ? end - 1 : end
            if bytes[start..<trimmed].contains(where: { $0 != 0x20 && $0 != 0x09 }) {
                lines.append((number, start..<trimmed))
            }
            start = end + 1
        }
        return lines
    }
}
