import Basics

/// A value while a template runs, with Python's meaning of truth, equality and text.
indirect enum Value {
    /// Nothing has this name; printing gives no text, most uses are errors.
    case undefined(String)
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case list([Value])
    case dictionary(Dictionary)
    case namespace(Namespace)
    case function(Function)

    /// Keys and values in order.
    struct Dictionary {
        var entries: [(key: Value, value: Value)] = []

        subscript(key: Value) -> Value? { entries.first { $0.key.equals(key) }?.value }

        mutating func set(_ key: Value, _ value: Value) {
            if let index = entries.firstIndex(where: { $0.key.equals(key) }) {
                entries[index].value = value
            } else {
                entries.append((key, value))
            }
        }
    }

    /// The object of `namespace()`, whose attributes templates change.
    final class Namespace {
        var values: [(name: String, value: Value)]

        init(_ values: [(name: String, value: Value)]) { self.values = values }

        subscript(name: String) -> Value? {
            get { values.first { $0.name == name }?.value }
            set {
                guard let newValue else { return }
                if let index = values.firstIndex(where: { $0.name == name }) {
                    values[index].value = newValue
                } else {
                    values.append((name, newValue))
                }
            }
        }
    }

    /// Something that can be called.
    enum Function {
        case builtin(String)
        case method(Value, String)
        case macro(Macro, [Scope])
        /// The body of a `call` block.
        case caller([Statement], [Scope])
    }

    init(_ json: JSON) {
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(Int(value))
        case .digits(let digits): self = .number(Double(digits) ?? .infinity)
        case .number(let value): self = .number(value)
        case .string(let value): self = .string(value)
        case .array(let members): self = .list(members.map(Value.init))
        case .object(let members):
            self = .dictionary(Dictionary(entries: members.map { (.string($0.key), Value($0.value)) }))
        }
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let members): !members.isEmpty
        case .dictionary(let members): !members.entries.isEmpty
        case .namespace, .function: true
        }
    }

    /// The value as a number, as Python's arithmetic takes it.
    var asNumber: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    var asInteger: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }

    func equals(_ other: Value) -> Bool {
        switch (self, other) {
        case (.undefined, .undefined), (.none, .none): return true
        // Code points, not canonical equivalence: "é" in two spellings differs.
        case (.string(let left), .string(let right)): return left.utf8.elementsEqual(right.utf8)
        case (.list(let left), .list(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.equals($1) }
        case (.dictionary(let left), .dictionary(let right)):
            return left.entries.count == right.entries.count
                && left.entries.allSatisfy { entry in right[entry.key].map { $0.equals(entry.value) } ?? false }
        case (.namespace(let left), .namespace(let right)): return left === right
        default:
            guard let left = asNumber, let right = other.asNumber else { return false }
            return left == right
        }
    }

    /// -1, 0 or 1.
    func compare(_ other: Value) throws -> Int {
        if let left = asNumber, let right = other.asNumber { return left < right ? -1 : left > right ? 1 : 0 }
        if case .string(let left) = self, case .string(let right) = other {
            if left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars) { return -1 }
            return left.unicodeScalars.elementsEqual(right.unicodeScalars) ? 0 : 1
        }
        if case .list(let left) = self, case .list(let right) = other {
            for (a, b) in zip(left, right) {
                let order = try a.compare(b)
                if order != 0 { return order }
            }
            return left.count < right.count ? -1 : left.count > right.count ? 1 : 0
        }
        throw Failure("cannot compare \(typeName) with \(other.typeName)")
    }

    /// The members that a loop runs over.
    func members() throws -> [Value] {
        switch self {
        case .undefined: return []
        case .list(let members): return members
        case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
        case .dictionary(let members): return members.entries.map(\.key)
        default: throw Failure("\(typeName) cannot be looped over")
        }
    }

    var typeName: String {
        switch self {
        case .undefined(let name): "undefined \"\(name)\""
        case .none: "none"
        case .bool: "a truth value"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .list: "a list"
        case .dictionary: "a dictionary"
        case .namespace: "a namespace"
        case .function: "a function"
        }
    }
}

/// Names and their values inside a loop, a macro or the whole template.
final class Scope {
    var values: [String: Value]

    init(_ values: [String: Value] = [:]) { self.values = values }
}
