/// What stands behind `is`.
enum Tests {
    static func holds(_ name: String, _ value: Value, _ arguments: [Value]) throws -> Bool {
        switch name {
        case "defined", "undefined":
            var isDefined = true
            if case .undefined = value { isDefined = false }
            return isDefined == (name == "defined")
        case "none": if case .none = value { return true } else { return false }
        case "string": if case .string = value { return true } else { return false }
        case "boolean": if case .bool = value { return true } else { return false }
        case "true": if case .bool(true) = value { return true } else { return false }
        case "false": if case .bool(false) = value { return true } else { return false }
        case "integer": if case .integer = value { return true } else { return false }
        case "float": if case .number = value { return true } else { return false }
        case "number": return value.asNumber != nil
        case "mapping": if case .dictionary = value { return true } else { return false }
        case "callable": if case .function = value { return true } else { return false }
        case "iterable", "sequence":
            switch value {
            case .list, .string, .dictionary: return true
            case .undefined: return true
            default: return false
            }
        case "odd", "even", "divisibleby": return try divides(name, value, arguments)
        case "upper": return value.text == value.text.uppercased() && value.text != value.text.lowercased()
        case "lower": return value.text == value.text.lowercased() && value.text != value.text.uppercased()
        case "in":
            guard let list = arguments.first else { throw Failure("the test \"in\" needs a list") }
            return try contains(list, value)
        default: return try compares(name, value, arguments)
        }
    }

    private static func divides(_ name: String, _ value: Value, _ arguments: [Value]) throws -> Bool {
        guard let integer = value.asInteger else { throw Failure("the test \"\(name)\" needs an integer") }
        if name != "divisibleby" { return (integer % 2 != 0) == (name == "odd") }
        guard let divisor = arguments.first?.asInteger, divisor != 0 else {
            throw Failure("divisibleby needs a divisor")
        }
        return integer % divisor == 0
    }

    private static func compares(_ name: String, _ value: Value, _ arguments: [Value]) throws -> Bool {
        guard let other = arguments.first else { throw Failure("the test \"\(name)\" is not supported") }
        switch name {
        case "equalto", "eq", "==", "sameas": return value.equals(other)
        case "ne", "!=": return !value.equals(other)
        case "lt", "lessthan": return try value.compare(other) < 0
        case "le": return try value.compare(other) <= 0
        case "gt", "greaterthan": return try value.compare(other) > 0
        case "ge": return try value.compare(other) >= 0
        default: throw Failure("the test \"\(name)\" is not supported")
        }
    }

    /// Python's `in`.
    static func contains(_ list: Value, _ value: Value) throws -> Bool {
        switch list {
        case .string(let text):
            guard case .string(let part) = value else { throw Failure("\(value.typeName) cannot be in a string") }
            return part.isEmpty || Methods.find(Array(part.utf8), in: Array(text.utf8)) != nil
        case .dictionary(let members): return members[value] != nil
        case .namespace(let namespace): return namespace[value.text] != nil
        default: return try list.members().contains { $0.equals(value) }
        }
    }
}
