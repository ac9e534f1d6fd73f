/// A value of a ``JSONTape``, in the words of ``JSON``; to be used only while the tape lends it.
///
/// Objects are searched from the front, which suits records. A text is copied when it is asked for, not before.
public struct JSONView {
    let tokens: UnsafePointer<JSONTape.Token>
    let bytes: UnsafeRawBufferPointer
    let index: Int

    @usableFromInline
    init(tokens: UnsafePointer<JSONTape.Token>, bytes: UnsafeRawBufferPointer, index: Int) {
        (self.tokens, self.bytes, self.index) = (tokens, bytes, index)
    }

    private var token: JSONTape.Token { tokens[index] }
    private func at(_ index: Int) -> JSONView { JSONView(tokens: tokens, bytes: bytes, index: index) }

    /// The value as it stands in the text, quotes and brackets included.
    public var source: UnsafeRawBufferPointer {
        let token = token
        let quotes = token.kind == .string ? 1 : 0
        let start = Int(token.start) - quotes
        return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + Int(token.count) + 2 * quotes)])
    }

    /// The bytes between a text's quotes, with its escapes.
    private var content: UnsafeRawBufferPointer {
        let start = Int(token.start)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + Int(token.count))])
    }

    /// The text, when this is one.
    public var string: String? { token.kind == .string ? text : nil }

    /// The text of a string or key.
    var text: String {
        if token.isEscaped { return String(decoding: JSONParser.unescaped(content), as: UTF8.self) }
        return String(decoding: content, as: UTF8.self)
    }

    /// Whether this is the text `word`, byte for byte.
    public func isText(_ word: StaticString) -> Bool {
        guard token.kind == .string else { return false }
        if token.isEscaped { return text.utf8Equals("\(word)") }
        return word.withUTF8Buffer { $0.count == Int(token.count) && content.elementsEqual($0) }
    }

    /// Whether this is `null`.
    public var isNull: Bool { token.kind == .null }
    /// Whether this is an object.
    public var isObject: Bool { token.kind == .object }

    /// The kind of value in words for messages, as ``JSON/kind``.
    public var kind: String {
        switch token.kind {
        case .null: "null"
        case .yes, .no: "a boolean"
        case .number: json.kind
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The elements, when this is an array.
    public var array: [JSONView]? {
        guard token.kind == .array else { return nil }
        var elements: [JSONView] = []
        var cursor = index + 1
        while cursor < Int(token.next) {
            elements.append(at(cursor))
            cursor = Int(tokens[cursor].next)
        }
        return elements
    }

    /// The keys, when this is an object; none otherwise.
    public var keys: [String] { members.map(\.key.text) }

    /// Members in file order: key and value.
    public var members: [(key: JSONView, value: JSONView)] {
        guard token.kind == .object else { return [] }
        var members: [(key: JSONView, value: JSONView)] = []
        var cursor = index + 1
        while cursor < Int(token.next) {
            members.append((at(cursor), at(cursor + 1)))
            cursor = Int(tokens[cursor + 1].next)
        }
        return members
    }

    /// The member of an object under a key; nil when absent or when this is no object.
    public subscript(key: StaticString) -> JSONView? {
        guard token.kind == .object else { return nil }
        let end = Int(token.next)
        var cursor = index + 1
        while cursor < end {
            if at(cursor).isText(key) { return at(cursor + 1) }
            cursor = Int(tokens[cursor + 1].next)
        }
        return nil
    }

    /// The value as a tree of its own.
    public var json: JSON {
        switch token.kind {
        case .null: return .null
        case .yes: return .bool(true)
        case .no: return .bool(false)
        case .number: return JSONParser.number(content)
        case .string: return .string(text)
        case .array:
            var elements: [JSON] = []
            var cursor = index + 1
            while cursor < Int(token.next) {
                elements.append(at(cursor).json)
                cursor = Int(tokens[cursor].next)
            }
            return .array(elements)
        case .object:
            var object = JSONObject()
            var cursor = index + 1
            while cursor < Int(token.next) {
                object.append(at(cursor).text, at(cursor + 1).json)
                cursor = Int(tokens[cursor + 1].next)
            }
            return .object(object)
        }
    }
}
