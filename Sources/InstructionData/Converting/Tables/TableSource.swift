import Basics

/// Rows with named columns, whatever the file's form.
struct TableSource {
    /// The file.
    let path: String
    /// Names of its columns: of the header, or of the first object.
    let columns: [String]
    private let form: Form

    private enum Form {
        case delimited(UInt8)
        case jsonLines
    }

    /// One row: texts by column position; several texts where a JSON list stands.
    struct Row {
        var line: Int
        var cells: [[String]]
    }

    /// Opens a table; its form follows from the ending (`.csv`, `.tsv`, `.jsonl`, `.json`).
    init(_ path: String, _ bytes: UnsafeRawBufferPointer) throws {
        self.path = path
        switch Paths.fileExtension(path).lowercased() {
        case "csv": form = .delimited(Self.delimiter(of: bytes))
        case "tsv", "tab": form = .delimited(9)
        case "jsonl", "ndjson", "json": form = .jsonLines
        case let other:
            throw UserError(
                "\(path): the ending \".\(other)\" does not say what kind of table this is",
                fix: "name the file .csv, .tsv, .jsonl or .json")
        }
        switch form {
        case .delimited(let delimiter):
            var reader = CSVReader(bytes, path: path, delimiter: delimiter)
            guard let header = try reader.next() else {
                throw UserError("\(path) is empty", fix: "its first line must name the columns")
            }
            columns = header.fields.map(\.trimmed)
            for (index, name) in columns.enumerated() where columns[..<index].contains(name) {
                throw RecordError(
                    path: path, line: header.line, reason: "two columns are called \"\(name)\"", fix: "rename one")
            }
        case .jsonLines:
            let index = try RecordIndex.build(over: bytes, source: path, workers: 1)
            guard index.count > 0 else { throw UserError("\(path) is empty", fix: "give one object a line") }
            columns = try Self.object(bytes, index[0], path: path).keys
        }
    }

    /// A comma, or the semicolon that spreadsheets write where the comma is a decimal point: whichever the first line has.
    private static func delimiter(of bytes: UnsafeRawBufferPointer) -> UInt8 {
        let header = bytes[..<(UTF8Text.firstIndex(of: UInt8(ascii: "\n"), in: bytes) ?? bytes.count)]
        let isComma = header.contains(UInt8(ascii: ",")) || !header.contains(UInt8(ascii: ";"))
        return UInt8(ascii: isComma ? "," : ";")
    }

    /// Position of a named column.
    /// - Throws: `UserError` that lists the columns.
    func column(_ name: String, option: String) throws(UserError) -> Int {
        if let found = columns.firstIndex(of: name) { return found }
        throw UserError(
            "\(path) has no column \"\(name)\"" + Suggestion.phrase(for: name, among: columns),
            fix: "its columns: \(columns.joined(separator: ", ")); name one with \(option)")
    }

    /// Reads all rows in order. A row that can't be read goes to `fault`.
    func forEachRow(
        _ bytes: UnsafeRawBufferPointer, fault: (Int, String, String?) throws -> Void, _ body: (Row) throws -> Void
    ) throws {
        switch form {
        case .delimited(let delimiter):
            var reader = CSVReader(bytes, path: path, delimiter: delimiter)
            _ = try reader.next()
            while let (line, fields) = try reader.next() {
                guard fields.count == columns.count else {
                    try fault(
                        line, "\(fields.count.counted("field")) for \(columns.count.counted("column"))",
                        "quote fields that hold the delimiter; a row has one field a column")
                    continue
                }
                try body(Row(line: line, cells: fields.map { [$0] }))
            }
        case .jsonLines:
            let index = try RecordIndex.build(over: bytes, source: path, workers: 4)
            var lines = LineCounter(bytes)
            for position in 0..<index.count {
                let line = lines.line(of: index[position].lowerBound)
                let object: JSONObject
                do { object = try Self.object(bytes, index[position], path: path) } catch let error as RecordError {
                    try fault(error.line, error.reason, error.fix)
                    continue
                }
                try body(Row(line: line, cells: columns.map { Self.texts(of: object[$0]) }))
            }
        }
    }

    private static func object(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, path: String
    ) throws -> JSONObject {
        func fault(_ reason: String, after lines: Int = 0) -> RecordError {
            let line = RecordIndex.line(of: range.lowerBound, in: bytes) + lines
            return RecordError(path: path, line: line, reason: reason, fix: "correct this row: one object a line")
        }
        let value: JSON
        do { value = try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[range]), source: path) } catch {
            throw fault(error.reason, after: error.line - 1)
        }
        guard let object = value.object else { throw fault("a row must be an object, not \(value.kind)") }
        return object
    }

    /// Texts of a value: one of a text or number, several of a list (or of its members' `answer`).
    private static func texts(of value: JSON?) -> [String] {
        switch value {
        case .string(let text)?: [text]
        case .integer(let number)?: [String(number)]
        case .digits(let digits)?: [digits]
        case .number(let number)?: [String(number)]
        case .bool(let truth)?: [truth ? "yes" : "no"]
        case .array(let values)?: values.flatMap { texts(of: $0.object?["answer"] ?? $0) }
        case .null?, .object?, nil: []
        }
    }
}
