/// A piece of a template: text, or what stands between `{{ }}` or `{% %}`.
enum Part {
    case text(String)
    case expression([Token], line: Int)
    case statement([Token], line: Int)
}

/// A word of an expression.
enum Token: Equatable {
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
}

/// Cuts a template into parts, with the white-space rules of `trim_blocks` and `lstrip_blocks`, which chat templates are
/// rendered with everywhere.
struct Lexer {
    private let source: [UInt8]
    private var index = 0
    private var line = 1
    private var parts: [Part] = []
    /// `trim_blocks` and `lstrip_blocks`.
    private let trimsBlocks: Bool

    init(_ text: String, trimsBlocks: Bool = true) {
        self.trimsBlocks = trimsBlocks
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            // \r\n and \r are newlines.
            if byte == 10, bytes.last == 13 { bytes.removeLast() }
            bytes.append(byte)
        }
        bytes = bytes.map { $0 == 13 ? 10 : $0 }
        if bytes.last == 10 { bytes.removeLast() }
        source = bytes
    }

    /// A place where reading failed.
    struct Damage: Error {
        let line: Int
        let reason: String
    }

    mutating func cut() throws(Damage) -> [Part] {
        var text: [UInt8] = []
        func flush() -> Part? { text.isEmpty ? nil : .text(String(decoding: text, as: UTF8.self)) }
        while index < source.count {
            guard source[index] == UInt8(ascii: "{"), index + 1 < source.count,
                [UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(source[index + 1])
            else {
                if source[index] == 10 { line += 1 }
                text.append(source[index])
                index += 1
                continue
            }
            let kind = source[index + 1]
            index += 2
            let mark = index < source.count ? source[index] : 0
            if mark == UInt8(ascii: "-") {
                while let last = text.last, Self.isSpace(last) { text.removeLast() }
                index += 1
            } else if mark == UInt8(ascii: "+") {
                index += 1
            } else if kind != UInt8(ascii: "{"), trimsBlocks {
                stripLine(&text)
            }
            if let part = flush() { parts.append(part) }
            text = []
            let start = line
            if kind == UInt8(ascii: "#") {
                try skipComment(start)
                continue
            }
            let (tokens, isTrimmed) = try tokens(until: kind == UInt8(ascii: "{") ? "}}" : "%}", start)
            if kind == UInt8(ascii: "{") {
                parts.append(.expression(tokens, line: start))
                if isTrimmed { skipSpace() }
            } else if tokens == [.name("raw")] {
                try readRaw(start)
            } else {
                parts.append(.statement(tokens, line: start))
            }
        }
        if let part = flush() { parts.append(part) }
        return parts
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

    /// Blanks between the line's start and a block tag go (`lstrip_blocks`).
    private func stripLine(_ text: inout [UInt8]) {
        var end = text.count
        while end > 0, text[end - 1] == 32 || text[end - 1] == 9 { end -= 1 }
        let isLineStart = end == 0 ? lineStartsHere : text[end - 1] == 10
        if isLineStart { text.removeLast(text.count - end) }
    }

    /// Whether nothing but the text at hand stands between the template's or line's start and here.
    private var lineStartsHere: Bool {
        var place = index - 3
        while place >= 0, source[place] == 32 || source[place] == 9 { place -= 1 }
        return place < 0 || source[place] == 10
    }

    private mutating func skipSpace() {
        while index < source.count, Self.isSpace(source[index]) {
            if source[index] == 10 { line += 1 }
            index += 1
        }
    }

    /// After a block: the mark before `%}` decides, without one a newline goes (`trim_blocks`).
    private mutating func afterBlock(_ mark: UInt8) {
        if mark == UInt8(ascii: "-") {
            skipSpace()
        } else if trimsBlocks, mark != UInt8(ascii: "+"), index < source.count, source[index] == 10 {
            line += 1
            index += 1
        }
    }

    private mutating func skipComment(_ start: Int) throws(Damage) {
        while index + 1 < source.count {
            if source[index] == UInt8(ascii: "#"), source[index + 1] == UInt8(ascii: "}") {
                let mark = source[index - 1]
                index += 2
                return afterBlock(mark)
            }
            if source[index] == 10 { line += 1 }
            index += 1
        }
        throw Damage(line: start, reason: "a comment is not closed")
    }

    private mutating func readRaw(_ start: Int) throws(Damage) {
        let begin = index
        var place = index
        while place < source.count {
            if source[place...].starts(with: Array("{%".utf8)) {
                var inner = place + 2
                while inner < source.count, Self.isSpace(source[inner]) || source[inner] == UInt8(ascii: "-") {
                    inner += 1
                }
                if source[inner...].starts(with: Array("endraw".utf8)) {
                    parts.append(.text(String(decoding: source[begin..<place], as: UTF8.self)))
                    index = place + 2
                    _ = try tokens(until: "%}", start)
                    return
                }
            }
            if source[place] == 10 { line += 1 }
            place += 1
        }
        throw Damage(line: start, reason: "a raw block is not closed")
    }

    private static let symbols = [
        "**", "//", "==", "!=", "<=", ">=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", "+", "-", "*", "/", "%",
        "~",
        "<", ">", "=",
    ]

    private mutating func tokens(until end: String, _ start: Int) throws(Damage) -> (tokens: [Token], isTrimmed: Bool) {
        var tokens: [Token] = []
        var braces = 0
        while true {
            skipSpace()
            guard index < source.count else { throw Damage(line: start, reason: "a tag is not closed") }
            for mark in ["-", "+", ""] where braces == 0 && source[index...].starts(with: Array((mark + end).utf8)) {
                index += mark.utf8.count + end.utf8.count
                if end == "%}" { afterBlock(mark.utf8.first ?? 0) }
                return (tokens, mark == "-")
            }
            let byte = source[index]
            if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                tokens.append(.string(try string(byte)))
            } else if (48...57).contains(byte) {
                tokens.append(try number())
            } else if byte == UInt8(ascii: "_") || byte >= 0x80 || (65...90).contains(byte & 0xDF) {
                let first = index
                while index < source.count, isNamePart(source[index]) { index += 1 }
                tokens.append(.name(String(decoding: source[first..<index], as: UTF8.self)))
            } else if let symbol = Self.symbols.first(where: { source[index...].starts(with: Array($0.utf8)) }) {
                if symbol == "{" { braces += 1 }
                if symbol == "}" { braces -= 1 }
                index += symbol.utf8.count
                tokens.append(.symbol(symbol))
            } else {
                throw Damage(line: line, reason: "unexpected character \"\(Character(Unicode.Scalar(byte)))\"")
            }
        }
    }

    private func isNamePart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte >= 0x80 || (65...90).contains(byte & 0xDF) || (48...57).contains(byte)
    }

    private mutating func number() throws(Damage) -> Token {
        let first = index
        while index < source.count, (48...57).contains(source[index]) || source[index] == UInt8(ascii: "_") {
            index += 1
        }
        var isFraction = false
        if index + 1 < source.count, source[index] == UInt8(ascii: "."), (48...57).contains(source[index + 1]) {
            isFraction = true
            index += 1
            while index < source.count, (48...57).contains(source[index]) { index += 1 }
        }
        if index < source.count, source[index] | 0x20 == UInt8(ascii: "e") {
            var end = index + 1
            if end < source.count, source[end] == UInt8(ascii: "-") || source[end] == UInt8(ascii: "+") { end += 1 }
            if end < source.count, (48...57).contains(source[end]) {
                isFraction = true
                while end < source.count, (48...57).contains(source[end]) { end += 1 }
                index = end
            }
        }
        let text = String(decoding: source[first..<index].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        if isFraction, let value = Double(text) { return .number(value) }
        guard let value = Int(text) else { throw Damage(line: line, reason: "the number \(text) is too large") }
        return .integer(value)
    }

    private mutating func string(_ quote: UInt8) throws(Damage) -> String {
        let start = line
        index += 1
        var bytes: [UInt8] = []
        while index < source.count, source[index] != quote {
            if source[index] == 10 { line += 1 }
            guard source[index] == UInt8(ascii: "\\"), index + 1 < source.count else {
                bytes.append(source[index])
                index += 1
                continue
            }
            let escape = source[index + 1]
            index += 2
            switch escape {
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): bytes.append(escape)
            case UInt8(ascii: "x"), UInt8(ascii: "u"):
                let count = escape == UInt8(ascii: "x") ? 2 : 4
                let digits = String(decoding: source[index..<min(index + count, source.count)], as: UTF8.self)
                guard digits.utf8.count == count, let code = UInt32(digits, radix: 16),
                    let scalar = Unicode.Scalar(code)
                else { throw Damage(line: start, reason: "an escape is no character") }
                bytes += Array(String(Character(scalar)).utf8)
                index += count
            case 10: continue
            default: bytes += [UInt8(ascii: "\\"), escape]
            }
        }
        guard index < source.count else { throw Damage(line: start, reason: "a string is not closed") }
        index += 1
        return String(decoding: bytes, as: UTF8.self)
    }
}
