import Basics

/// Reads rows of a CSV or TSV file one at a time (RFC 4180: quoted fields, doubled quotes, line ends inside quotes).
///
/// A quote inside a field that does not begin with one is text, as in Python's `csv` module; in TSV so is one that begins a
/// field and does not end it, because many of its writers know no quotes. A small reader of our own:
/// the packages at hand hold the whole file as one string, which a set of millions of rows does not allow.
struct CSVReader {
    private let bytes: UnsafeRawBufferPointer
    private let path: String
    private let delimiter: UInt8
    private var position: Int
    private var line = 1

    init(_ bytes: UnsafeRawBufferPointer, path: String, delimiter: UInt8) {
        self.bytes = bytes
        self.path = path
        self.delimiter = delimiter
        position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    private static let (quote, newline, carriageReturn) = (UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"))

    /// The next row with the line where it begins; nil at the end. Empty lines are passed over.
    /// - Throws: `RecordError` with the line of a quote that is not closed, or of text that is not UTF-8.
    mutating func next() throws -> (line: Int, fields: [String])? {
        while position < bytes.count, bytes[position] == Self.newline || bytes[position] == Self.carriageReturn {
            if bytes[position] == Self.newline { line += 1 }
            position += 1
        }
        guard position < bytes.count else { return nil }
        let start = line
        var fields: [String] = []
        while true {
            fields.append(bytes[safe: position] == Self.quote ? try fieldWithQuote() : try plainField())
            guard position < bytes.count else { return (start, fields) }
            let end = bytes[position]
            position += 1
            if end == delimiter { continue }
            if end == Self.carriageReturn, bytes[safe: position] == Self.newline { position += 1 }
            line += 1
            return (start, fields)
        }
    }

    private mutating func plainField() throws -> String {
        let start = position
        while position < bytes.count, bytes[position] != delimiter, bytes[position] != Self.newline {
            if bytes[position] == Self.carriageReturn, bytes[safe: position + 1] ?? Self.newline == Self.newline {
                break
            }
            position += 1
        }
        return try text(bytes[start..<position])
    }

    private mutating func fieldWithQuote() throws -> String {
        guard delimiter == 9 else { return try quotedField() }
        let before = (position, line)
        if let field = try? quotedField() { return field }
        (position, line) = before
        return try plainField()
    }

    private mutating func quotedField() throws -> String {
        let startLine = line
        position += 1
        var content: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == Self.quote {
                guard bytes[safe: position] == Self.quote else {
                    let after = bytes[safe: position]
                    guard after == nil || after == delimiter || after == Self.newline || after == Self.carriageReturn
                    else {
                        throw RecordError(
                            path: path, line: line, reason: "text follows a closing quote",
                            fix: "double the quotes inside a quoted field (\"\")")
                    }
                    return try text(content)
                }
                position += 1
            } else if byte == Self.newline {
                line += 1
            }
            content.append(byte)
        }
        throw RecordError(
            path: path, line: startLine, reason: "a quoted field is not closed",
            fix: "close it, and double the quotes inside it (\"\")")
    }

    private func text(_ bytes: some Collection<UInt8>) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RecordError(
                path: path, line: line, reason: "a field is not UTF-8",
                fix: "convert the file, for instance with: iconv -f latin1 -t utf-8")
        }
        return text
    }
}

extension UnsafeRawBufferPointer {
    /// The byte at a place, nil beyond the end.
    subscript(safe position: Int) -> UInt8? { position < count ? self[position] : nil }
}
