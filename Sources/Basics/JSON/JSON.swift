/// A JSON value; objects keep the order of their keys.
///
/// Whole numbers survive a round trip exactly: those that fit 64 bits as integers, larger ones as their digits, so that ids
/// and sizes stay what they are. Every other number is a `Double`. Keys are compared byte by byte: Swift's `String` equality follows Unicode equivalence and would merge
/// vocabulary entries that differ only in normalization.
public enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// The digits of a whole number beyond 64 bits, which is finite as a double.
    case digits(String)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON {
    /// The member `key` of an object; nil when absent or when this is no object.
    public subscript(key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The element at `index` of an array; nil when out of range or when this is no array.
    public subscript(index: Int) -> JSON? {
        if case .array(let array) = self, array.indices.contains(index) { array[index] } else { nil }
    }

    /// The text, when this is a string.
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, when this is a number without a fractional part that fits (`3.0` counts as 3).
    public var int: Int? {
        switch self {
        case .integer(let value): Int(exactly: value)
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The number as a double, when this is one.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .digits(let digits): Double(digits)
        case .number(let value): value
        default: nil
        }
    }

    /// The decimal digits of a whole number of any size, when this is one that was written without point or exponent.
    public var digits: String? {
        switch self {
        case .integer(let value): String(value)
        case .digits(let digits): digits
        default: nil
        }
    }

    /// The truth value, when this is `true` or `false`.
    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements, when this is an array.
    public var array: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, when this is an object.
    public var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// Whether this is `null`.
    public var isNull: Bool { self == .null }

    /// The kind of value in words for messages: "a string", "an array", …
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .digits: "an integer beyond 64 bits"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .number(value) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
    /// An array.
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// An object, its members in the literal's order.
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }
}

extension JSON {
    /// The integer as a JSON value.
    public static func int(_ value: Int) -> JSON { .integer(Int64(value)) }

    /// A number, without a fraction where it has none and fits 64 bits.
    public static func whole(_ value: Double) -> JSON { Int64(exactly: value).map { .integer($0) } ?? .number(value) }
}
