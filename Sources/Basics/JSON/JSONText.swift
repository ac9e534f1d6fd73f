/// JSON text that grows at its end, in memory that is used again.
///
/// What writes many records puts its members down one by one, without making a ``JSON`` value of them first.
public struct JSONText: Sendable {
    /// The text so far, UTF-8.
    public private(set) var bytes: [UInt8] = []
    private let pretty: Bool
    private let sortedKeys: Bool

    /// An empty text.
    /// - Parameters:
    ///   - pretty: Two spaces a level and one member a line, as Python's `indent=2`.
    ///   - sortedKeys: Members in the order of their keys' bytes instead of their own.
    public init(pretty: Bool = false, sortedKeys: Bool = false) {
        (self.pretty, self.sortedKeys) = (pretty, sortedKeys)
    }

    /// Forgets the text and keeps its memory.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Takes back what was added behind a length.
    public mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }

    /// Adds brackets, commas, and keys that need no escapes.
    public mutating func append(raw text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Adds text that is JSON already.
    public mutating func append(raw text: UnsafeRawBufferPointer) { bytes.append(contentsOf: text) }

    /// Adds a line end.
    public mutating func endLine() { bytes.append(UInt8(ascii: "\n")) }

    /// Adds a value.
    public mutating func append(_ value: JSON) { write(value, level: 0) }

    /// Adds a string in quotes, with the escapes that it needs.
    public mutating func append(string text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { appendEscaped($0) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func write(_ value: JSON, level: Int) {
        switch value {
        case .null: append(raw: "null")
        case .bool(let flag): append(raw: flag ? "true" : "false")
        case .integer(let number): bytes.append(contentsOf: String(number).utf8)
        case .digits(let digits): bytes.append(contentsOf: digits.utf8)
        case .number(let number): bytes.append(contentsOf: (number.isFinite ? number.description : "null").utf8)
        case .string(let text): append(string: text)
        case .array(let elements): writeArray(elements, level: level)
        case .object(let object): writeObject(object, level: level)
        }
    }

    private mutating func newLine(_ level: Int) {
        guard pretty else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * level))
    }

    private mutating func writeArray(_ elements: [JSON], level: Int) {
        bytes.append(UInt8(ascii: "["))
        for (position, element) in elements.enumerated() {
            if position > 0 { bytes.append(UInt8(ascii: ",")) }
            newLine(level + 1)
            write(element, level: level + 1)
        }
        if !elements.isEmpty { newLine(level) }
        bytes.append(UInt8(ascii: "]"))
    }

    private mutating func writeObject(_ object: JSONObject, level: Int) {
        bytes.append(UInt8(ascii: "{"))
        let members = sortedKeys ? object.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) } : Array(object)
        for (position, member) in members.enumerated() {
            if position > 0 { bytes.append(UInt8(ascii: ",")) }
            newLine(level + 1)
            append(string: member.key)
            bytes.append(UInt8(ascii: ":"))
            if pretty { bytes.append(UInt8(ascii: " ")) }
            write(member.value, level: level + 1)
        }
        if !members.isEmpty { newLine(level) }
        bytes.append(UInt8(ascii: "}"))
    }

    /// Stretches without escapes, nearly all of a text, are copied whole.
    private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
        var (copied, cursor) = (0, 0)
        let raw = UnsafeRawBufferPointer(text)
        while cursor < text.count {
            if cursor + 8 <= text.count,
                !JSONParser.hasSpecial(raw.loadUnaligned(fromByteOffset: cursor, as: UInt64.self))
            {
                cursor += 8
                continue
            }
            let byte = text[cursor]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                cursor += 1
                continue
            }
            bytes.append(contentsOf: text[copied..<cursor])
            appendEscape(byte)
            cursor += 1
            copied = cursor
        }
        bytes.append(contentsOf: text[copied..<cursor])
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(raw: "\\\"")
        case UInt8(ascii: "\\"): append(raw: "\\\\")
        case 0x08: append(raw: "\\b")
        case 0x0C: append(raw: "\\f")
        case 0x0A: append(raw: "\\n")
        case 0x0D: append(raw: "\\r")
        case 0x09: append(raw: "\\t")
        default: bytes.append(contentsOf: ("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8)
        }
    }
}
