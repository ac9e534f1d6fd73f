/// A recursive-descent JSON parser over raw bytes that writes down where each value stands.
struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    let source: String
    let limits: JSONLimits
    var position = 0
    var depth = 0
    var values = 0
    /// The values so far; see ``JSONTape``.
    var tokens: ContiguousArray<JSONTape.Token> = []

    init(_ bytes: UnsafeRawBufferPointer, source: String, limits: JSONLimits) {
        self.bytes = bytes
        self.source = source
        self.limits = limits
    }

    func failure(_ reason: String, at offset: Int? = nil, fix: String? = nil) -> JSONError {
        JSONError(reason, fix: fix, source: source, offset: offset ?? position, in: bytes)
    }

    mutating func parseDocument() throws(JSONError) {
        // Offsets on a tape have 32 bits.
        let most = min(limits.bytes, Int(UInt32.max))
        guard bytes.count <= most else {
            throw failure("the text has \(bytes.count) bytes, the limit is \(most)", at: 0)
        }
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
        skipSpace()
        if position == bytes.count {
            throw failure("the text is empty", fix: "check that the file was written or copied completely")
        }
        try parseValue()
        skipSpace()
        guard position == bytes.count else {
            throw failure(
                "unexpected \(shown(position)) after the end of the value",
                fix: "a JSON file holds one value; a file with one value a line should be named .jsonl")
        }
    }

    @inline(__always)
    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    /// Writes down a value that holds no others.
    @inline(__always)
    mutating func add(_ kind: JSONTape.Kind, _ range: Range<Int>, isEscaped: Bool = false) {
        tokens.append(
            JSONTape.Token(
                start: UInt32(truncatingIfNeeded: range.lowerBound), count: UInt32(truncatingIfNeeded: range.count),
                next: UInt32(truncatingIfNeeded: tokens.count + 1), kind: kind, isEscaped: isEscaped))
    }

    mutating func parseValue() throws(JSONError) {
        guard position < bytes.count else { throw endOfText() }
        values += 1
        guard values <= limits.values else { throw failure("the text holds more than \(limits.values) values") }
        switch bytes[position] {
        case UInt8(ascii: "\""): try parseString()
        case UInt8(ascii: "{"): try parseObject()
        case UInt8(ascii: "["): try parseArray()
        case UInt8(ascii: "t"): try parseWord("true", .yes)
        case UInt8(ascii: "f"): try parseWord("false", .no)
        case UInt8(ascii: "n"): try parseWord("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let start = position
            _ = try parseNumber()
            add(.number, start..<position)
        default: throw notAValue()
        }
    }

    private func notAValue() -> JSONError {
        for word in ["NaN", "Infinity"] where starts(with: word) {
            return failure(
                "\(word) is no JSON value", fix: "write null or a finite number instead of \(word)")
        }
        if bytes[position] == UInt8(ascii: "'") {
            return failure("expected a value, found \(shown(position))", fix: "JSON strings take double quotes")
        }
        return failure("expected a value, found \(shown(position))")
    }

    func endOfText() -> JSONError {
        failure(
            "the text ends in the middle of a value", at: bytes.count,
            fix: "the file seems cut short: copy or download it again")
    }

    private func starts(with word: StaticString) -> Bool {
        word.withUTF8Buffer { expected in
            position + expected.count <= bytes.count
                && bytes[position..<position + expected.count].elementsEqual(expected)
        }
    }

    private func starts(with word: String) -> Bool {
        bytes[position...].starts(with: word.utf8)
    }

    private mutating func parseWord(_ word: StaticString, _ kind: JSONTape.Kind) throws(JSONError) {
        guard starts(with: word) else { throw notAValue() }
        add(kind, position..<position + word.utf8CodeUnitCount)
        position += word.utf8CodeUnitCount
    }

    /// Begins an array or object; its token is complete after ``leave(_:)``.
    private mutating func enter(_ kind: JSONTape.Kind) throws(JSONError) -> Int {
        depth += 1
        guard depth <= limits.depth else {
            throw failure("arrays and objects nest deeper than \(limits.depth) levels")
        }
        add(kind, position..<position)
        position += 1
        skipSpace()
        return tokens.count - 1
    }

    /// Ends the array or object of a token behind the bracket at `position`.
    private mutating func leave(_ token: Int) {
        position += 1
        depth -= 1
        tokens[token].count = UInt32(truncatingIfNeeded: position - Int(tokens[token].start))
        tokens[token].next = UInt32(truncatingIfNeeded: tokens.count)
    }

    private mutating func parseArray() throws(JSONError) {
        let token = try enter(.array)
        if position < bytes.count, bytes[position] == UInt8(ascii: "]") { return leave(token) }
        while true {
            try parseValue()
            skipSpace()
            guard position < bytes.count else { throw endOfText() }
            switch bytes[position] {
            case UInt8(ascii: ","):
                position += 1
                skipSpace()
                if position < bytes.count, bytes[position] == UInt8(ascii: "]") {
                    throw failure("expected a value after the comma, found \"]\"", fix: "remove the last comma")
                }
            case UInt8(ascii: "]"): return leave(token)
            default: throw failure("expected \",\" or \"]\" in the array, found \(shown(position))")
            }
        }
    }

    private mutating func parseObject() throws(JSONError) {
        let token = try enter(.object)
        if position < bytes.count, bytes[position] == UInt8(ascii: "}") { return leave(token) }
        var keys = JSONKeys(first: tokens.count)
        while true {
            guard position < bytes.count else { throw endOfText() }
            let keyOffset = position
            guard bytes[position] == UInt8(ascii: "\"") else {
                throw failure(
                    "expected a key in double quotes, found \(shown(position))",
                    fix: bytes[position] == UInt8(ascii: "}") ? "remove the last comma" : nil)
            }
            let key = tokens.count
            try parseString()
            skipSpace()
            guard position < bytes.count else { throw endOfText() }
            guard bytes[position] == UInt8(ascii: ":") else {
                throw failure("expected \":\" after the key \"\(text(of: key))\", found \(shown(position))")
            }
            position += 1
            skipSpace()
            try parseValue()
            guard keys.isNew(key, on: tokens, of: bytes) else {
                throw failure(
                    "the key \"\(text(of: key))\" occurs twice in one object", at: keyOffset,
                    fix: "remove one of the two; readers disagree on which one counts")
            }
            skipSpace()
            guard position < bytes.count else { throw endOfText() }
            switch bytes[position] {
            case UInt8(ascii: ","):
                position += 1
                skipSpace()
            case UInt8(ascii: "}"): return leave(token)
            default: throw failure("expected \",\" or \"}\" in the object, found \(shown(position))")
            }
        }
    }

    /// The text of a token.
    private func text(of token: Int) -> String {
        tokens.withUnsafeBufferPointer { JSONView(tokens: $0.baseAddress!, bytes: bytes, index: token).text }
    }

    /// The byte or character at `offset` as a message shows it.
    func shown(_ offset: Int) -> String {
        guard offset < bytes.count else { return "the end of the text" }
        let rest = bytes[offset..<min(bytes.count, offset + 4)]
        let first = String(decoding: rest, as: UTF8.self).unicodeScalars.first ?? "\u{FFFD}"
        if first.value < 0x20 || first == "\u{FFFD}" || first.value == 0x7F {
            return "byte 0x" + String(bytes[offset], radix: 16)
        }
        return first == "\"" ? "'\"'" : "\"\(first)\""
    }
}
