import Basics

extension Value {
    /// The text that printing gives, as Python's `str`.
    var text: String {
        switch self {
        case .undefined: ""
        case .string(let text): text
        default: representation
        }
    }

    /// Takes the bytes off `left` that the text has at least; stops below 0.
    func countText(_ left: inout Int) {
        switch self {
        case .string(let text): left -= text.utf8.count
        case .list(let members):
            left -= 2
            for member in members where left >= 0 { member.countText(&left) }
        case .dictionary(let members):
            left -= 2
            for entry in members.entries where left >= 0 {
                entry.key.countText(&left)
                entry.value.countText(&left)
            }
        default: left -= 1
        }
    }

    /// As Python's `repr`.
    var representation: String {
        switch self {
        case .undefined: return "Undefined"
        case .none: return "None"
        case .bool(let value): return value ? "True" : "False"
        case .integer(let value): return String(value)
        case .number(let value): return Self.format(value)
        case .string(let text): return Self.quoted(text)
        case .list(let members): return "[" + members.map(\.representation).joined(separator: ", ") + "]"
        case .dictionary(let members):
            let entries = members.entries.map { "\($0.key.representation): \($0.value.representation)" }
            return "{" + entries.joined(separator: ", ") + "}"
        case .namespace: return "<Namespace>"
        case .function: return "<function>"
        }
    }

    /// Python writes 1e16 as "1e+16" and whole numbers with ".0".
    private static func format(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let text = "\(value)"
        guard let split = text.firstIndex(of: "e") else { return text }
        var mantissa = String(text[..<split])
        if mantissa.hasSuffix(".0") { mantissa.removeLast(2) }
        let exponent = text[text.index(after: split)...]
        let isNegative = exponent.hasPrefix("-")
        let digits = exponent.drop { $0 == "-" || $0 == "+" }
        return mantissa + (isNegative ? "e-" : "e+") + (digits.count < 2 ? "0" + digits : String(digits))
    }

    private static func quoted(_ text: String) -> String {
        let quote: Unicode.Scalar =
            text.unicodeScalars.contains("'") && !text.unicodeScalars.contains("\"") ? "\"" : "'"
        var result = String(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\\": result += "\\\\"
            case quote: result += "\\" + String(quote)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + String(quote)
    }

    /// How JSON is laid out, with the defaults of Python's `json.dumps`.
    struct JSONStyle {
        var indent: Int?
        var itemSeparator = ", "
        var keySeparator = ": "
        var sortsKeys = false
    }

    /// As Python's `json.dumps(value, ensure_ascii=False)`.
    func json(_ style: JSONStyle, depth: Int = 0) throws -> String {
        guard depth < 100 else { throw Failure("a value is nested too deeply for JSON") }
        func wrapped(_ members: [String], _ open: String, _ close: String) -> String {
            if members.isEmpty { return open + close }
            guard let indent = style.indent else {
                return open + members.joined(separator: style.itemSeparator) + close
            }
            let inner = "\n" + String(repeating: " ", count: indent * (depth + 1))
            let outer = "\n" + String(repeating: " ", count: indent * depth)
            let separator = style.itemSeparator == ", " ? "," : style.itemSeparator
            return open + inner + members.joined(separator: separator + inner) + outer + close
        }
        switch self {
        case .none: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer, .number: return representation
        case .string(let text): return JSON.string(text).serialized()
        case .list(let members):
            return wrapped(try members.map { try $0.json(style, depth: depth + 1) }, "[", "]")
        case .dictionary(let members):
            var entries = members.entries
            if style.sortsKeys { try entries.sort { try $0.key.compare($1.key) < 0 } }
            return wrapped(
                try entries.map { entry in
                    JSON.string(entry.key.text).serialized() + style.keySeparator
                        + (try entry.value.json(style, depth: depth + 1))
                }, "{", "}")
        default: throw Failure("\(typeName) cannot be written as JSON")
        }
    }
}
