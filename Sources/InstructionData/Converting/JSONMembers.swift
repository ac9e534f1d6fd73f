import Basics

/// The members of a huge JSON object by their byte ranges, found by quotes and depth alone.
///
/// COCO and VQAv2 publish one object whose members are lists of hundreds of thousands of entries; their entries are
/// parsed one at a time.
struct JSONMembers {
    private let bytes: UnsafeRawBufferPointer
    private let path: String
    private let lines = LineIndex()
    private let ranges: [String: Range<Int>]
    /// The members' names in file order.
    let names: [String]

    /// Scans an object.
    /// - Throws: a `Problem` with the line where it stops making sense.
    init(_ bytes: UnsafeRawBufferPointer, path: String) throws {
        self.bytes = bytes
        self.path = path
        func damaged(_ offset: Int, _ what: String) -> RecordError {
            RecordError(
                path: path, line: RecordIndex.line(of: offset, in: bytes), reason: what,
                fix: "the file looks damaged or cut off: copy or download it again")
        }
        var position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        func skipSpace() { while position < bytes.count, [32, 10, 13, 9].contains(bytes[position]) { position += 1 } }
        func expect(_ character: Unicode.Scalar) throws {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: character) else {
                throw damaged(position, "expected \"\(character)\"")
            }
            position += 1
        }
        var ranges: [String: Range<Int>] = [:]
        var names: [String] = []
        try expect("{")
        skipSpace()
        var open = position >= bytes.count || bytes[position] != UInt8(ascii: "}")
        while open {
            skipSpace()
            let key = position
            try expect("\"")
            guard let keyEnd = Self.endOfString(bytes, from: key) else { throw damaged(key, "a text is not closed") }
            position = keyEnd
            guard
                let name = try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[key..<position]), source: path).string
            else { throw damaged(key, "a key is not a text") }
            try expect(":")
            skipSpace()
            let start = position
            guard let end = Self.endOfValue(bytes, from: start) else {
                throw damaged(start, "\"\(name)\" is not closed")
            }
            if ranges.updateValue(start..<end, forKey: name) != nil { throw damaged(key, "\"\(name)\" stands twice") }
            names.append(name)
            position = end
            skipSpace()
            guard position < bytes.count, [UInt8(ascii: ","), UInt8(ascii: "}")].contains(bytes[position]) else {
                throw damaged(position, "expected \",\" or \"}\" after \"\(name)\"")
            }
            open = bytes[position] == UInt8(ascii: ",")
            position += 1
        }
        self.ranges = ranges
        self.names = names
    }

    /// The value of a small member.
    func value(_ name: String) throws -> JSON? {
        try ranges[name].map { try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[$0]), source: path) }
    }

    /// Where a member's value stands.
    func range(of name: String) -> Range<Int>? { ranges[name] }

    /// Byte ranges, in the whole file, of the elements of a list member.
    /// - Throws: `UserError` that lists the members when it is not there.
    func elements(of name: String, kind: String) throws -> [Range<Int>] {
        guard let range = ranges[name] else {
            throw UserError(
                "\(path) has no list \"\(name)\"" + Suggestion.phrase(for: name, among: names),
                fix: "a file of \(kind) has one; this one has: \(names.joined(separator: ", "))")
        }
        let inner = UnsafeRawBufferPointer(rebasing: bytes[range])
        return try JSONScanner.elements(of: inner, source: "\(path), list \"\(name)\"").map {
            ($0.lowerBound + range.lowerBound)..<($0.upperBound + range.lowerBound)
        }
    }

    /// One element; a fault in it is told with its line.
    func element(at range: Range<Int>) throws -> JSON {
        do { return try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[range]), source: path) } catch {
            throw RecordError(
                path: path, line: line(of: range) + error.line - 1, reason: error.reason, fix: "correct this entry")
        }
    }

    /// 1-based line where an element begins.
    func line(of range: Range<Int>) -> Int { lines.line(of: range.lowerBound, in: bytes) }

    private static func endOfString(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var position = start + 1
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "\"") { return position + 1 }
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    private static func endOfValue(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var depth = 0
        var position = start
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                guard let end = endOfString(bytes, from: position) else { return nil }
                position = end - 1
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}") where depth == 0, UInt8(ascii: "]") where depth == 0,
                UInt8(ascii: ",") where depth == 0:
                return position > start ? position : nil
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return position + 1 }
            default: break
            }
            position += 1
        }
        return nil
    }
}
