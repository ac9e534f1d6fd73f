import Basics

/// What stands behind `|`.
enum Filters {
    static func apply(
        _ name: String, to value: Value, _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> Value {
        interpreter.depth += 1
        defer { interpreter.depth -= 1 }
        try interpreter.step()
        if let result = try text(name, value, call, interpreter) { return result }
        if let result = try list(name, value, call, interpreter) { return result }
        switch name {
        case "default", "d":
            let fallback = call.argument(0, "default_value") ?? .string("")
            if case .undefined = value { return fallback }
            return call.argument(1, "boolean")?.isTrue == true && !value.isTrue ? fallback : value
        case "tojson":
            var style = Value.JSONStyle(indent: call.argument(0, "indent")?.asInteger)
            style.sortsKeys = call.named.first { $0.name == "sort_keys" }?.value.isTrue ?? false
            if case .list(let separators)? = call.named.first(where: { $0.name == "separators" })?.value,
                separators.count == 2
            {
                style.itemSeparator = separators[0].text
                style.keySeparator = separators[1].text
            }
            guard (style.indent ?? 0) <= 64, (style.indent ?? 0) >= 0 else { throw Failure("an indent above 64") }
            try interpreter.checkText(of: value)
            return .string(try value.json(style))
        case "int", "float": return number(name, value, call)
        case "abs":
            if let integer = value.asInteger, integer != .min { return .integer(abs(integer)) }
            return .number(abs(value.asNumber ?? 0))
        case "round": return try Rounding.round(value, call)
        case "safe", "highlight": return value
        case "attr": return try interpreter.attribute(value, call.argument(0, "name")?.text ?? "")
        default: throw Failure("the filter \"\(name)\" is not supported")
        }
    }

    private static func number(_ name: String, _ value: Value, _ call: Interpreter.Call) -> Value {
        let fallback = call.argument(0, "default")
        if case .string(let text) = value {
            let trimmed = Methods.strip(text, nil, left: true, right: true)
            if name == "int", let integer = Int(trimmed) { return .integer(integer) }
            guard let number = Double(trimmed) else { return fallback ?? (name == "int" ? .integer(0) : .number(0)) }
            return name == "int" ? .integer(Int(exactly: number.rounded(.towardZero)) ?? 0) : .number(number)
        }
        guard let number = value.asNumber else { return fallback ?? (name == "int" ? .integer(0) : .number(0)) }
        if name == "float" { return .number(number) }
        return value.asInteger.map { .integer($0) } ?? .integer(Int(exactly: number.rounded(.towardZero)) ?? 0)
    }

    private static let texts: Set<String> = [
        "trim", "upper", "lower", "title", "capitalize", "string", "replace", "wordcount", "escape", "e", "indent",
    ]

    /// Filters of text; nil when the name is none of them.
    private static func text(
        _ name: String, _ value: Value, _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> Value? {
        guard texts.contains(name) else { return nil }
        let text = try interpreter.text(of: value)
        switch name {
        case "trim":
            return .string(Methods.strip(text, call.argument(0, "chars")?.text, left: true, right: true))
        case "upper": return .string(text.uppercased())
        case "lower": return .string(text.lowercased())
        case "title": return .string(titled(text))
        case "capitalize": return .string(Methods.capitalized(text))
        case "string": return .string(text)
        case "replace":
            guard let old = call.argument(0, "old"), let new = call.argument(1, "new") else {
                throw Failure("replace needs two strings")
            }
            return .string(
                try Methods.replace(text, old.text, new.text, call.argument(2, "count")?.asInteger, interpreter))
        case "wordcount": return .integer(text.unicodeScalars.split(whereSeparator: Methods.isSpace).count)
        case "escape", "e":
            var result = text
            for (from, to) in [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;")] {
                result = try Methods.replace(result, from, to, nil, interpreter)
            }
            return .string(result)
        default: return .string(try indented(text, call, interpreter))
        }
    }

    /// Jinja2's own: a word begins behind spaces, `-` and opening brackets; Python's method has one behind every other sign, too.
    private static func titled(_ text: String) -> String {
        var result = ""
        var isInside = false
        for scalar in text.unicodeScalars {
            let begins = Methods.isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar)
            result += isInside ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
            isInside = !begins
        }
        return result
    }

    private static func indented(
        _ text: String, _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> String {
        let width = call.argument(0, "width")
        var prefix = width?.asInteger.map { String(repeating: " ", count: max(0, min($0, 256))) } ?? "    "
        if case .string(let given)? = width { prefix = given }
        let first = call.argument(1, "first")?.isTrue ?? false
        let blank = call.argument(2, "blank")?.isTrue ?? false
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        let result = lines.enumerated().map { index, line in
            (index == 0 ? first : blank || !line.isEmpty) ? prefix + line : line
        }.joined(separator: "\n")
        try interpreter.check(length: result.utf8.count)
        return result
    }

    /// Filters of lists; nil when the name is none of them.
    private static func list(
        _ name: String, _ value: Value, _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> Value? {
        switch name {
        case "length", "count":
            if case .undefined = value { return .integer(0) }
            return .integer(try value.members().count)
        case "list": return .list(try value.members())
        case "first": return try value.members().first ?? .undefined("first")
        case "last": return try value.members().last ?? .undefined("last")
        case "join":
            let attribute = call.argument(1, "attribute")
            let members = try value.members().map { member in
                try attribute.map { try interpreter.item(member, $0) } ?? member
            }
            return .string(try Methods.joined(members, call.argument(0, "d")?.text ?? "", interpreter))
        case "items", "dictsort":
            guard case .dictionary(let members) = value else {
                if case .undefined = value { return .list([]) }
                throw Failure("\(name) needs a dictionary, not \(value.typeName)")
            }
            var entries = members.entries
            if name == "dictsort" {
                try entries.sort { try folded($0.key).compare(folded($1.key)) < 0 }
            }
            return .list(entries.map { .list([$0.key, $0.value]) })
        case "reverse":
            let reversed = try value.members().reversed()
            if case .string = value { return .string(reversed.map(\.text).joined()) }
            return .list(Array(reversed))
        case "sort": return .list(try sorted(try value.members(), call, interpreter))
        case "choice":
            // PromptSource's: any member.
            let members = try value.members()
            guard !members.isEmpty else { throw Failure("choice needs a list with members") }
            return members[interpreter.generator.below(members.count)]
        case "most_frequent":
            // PromptSource's: the list of those that occur most often, in the order of their first occurrence.
            var counted: [(member: Value, count: Int)] = []
            for member in try value.members() {
                try interpreter.step()
                if let index = counted.firstIndex(where: { $0.member.equals(member) }) {
                    counted[index].count += 1
                } else {
                    counted.append((member, 1))
                }
            }
            let most = counted.map(\.count).max()
            return .list(counted.filter { $0.count == most }.map(\.member))
        case "unique":
            var seen: [Value] = []
            for member in try value.members() where !seen.contains(where: { $0.equals(member) }) {
                try interpreter.step()
                seen.append(member)
            }
            return .list(seen)
        case "sum":
            return try value.members().reduce(.integer(0)) { try Arithmetic.apply("+", $0, $1, interpreter) }
        case "min", "max":
            let members = try value.members()
            guard var best = members.first else { return .undefined(name) }
            for member in members.dropFirst() where try (member.compare(best) < 0) == (name == "min") { best = member }
            return best
        case "map", "select", "reject", "selectattr", "rejectattr":
            return .list(try chosen(name, try value.members(), call, interpreter))
        default: return nil
        }
    }

    /// Sorting ignores case unless asked.
    private static func folded(_ value: Value) -> Value {
        if case .string(let text) = value { return .string(text.lowercased()) }
        return value
    }

    private static func sorted(
        _ members: [Value], _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> [Value] {
        let isReversed = call.argument(0, "reverse")?.isTrue ?? false
        let keepsCase = call.argument(1, "case_sensitive")?.isTrue ?? false
        let attribute = call.argument(2, "attribute")
        let keyed = try members.map { member in
            let key = try attribute.map { try interpreter.item(member, $0) } ?? member
            return (key: keepsCase ? key : folded(key), member: member)
        }
        let order = try keyed.enumerated().sorted { left, right in
            let order = try left.element.key.compare(right.element.key)
            // Python's sort is stable, also when reversed.
            return order == 0 ? left.offset < right.offset : (order < 0) != isReversed
        }
        return order.map(\.element.member)
    }

    private static func chosen(
        _ name: String, _ members: [Value], _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> [Value] {
        var rest = call.positional.dropFirst().map { $0 }
        if name == "map" {
            if let attribute = call.named.first(where: { $0.name == "attribute" })?.value {
                let fallback = call.named.first { $0.name == "default" }?.value
                return try members.map { member in
                    let value = try interpreter.item(member, attribute)
                    if case .undefined = value { return fallback ?? value }
                    return value
                }
            }
            guard let filter = call.positional.first?.text else { throw Failure("map needs a filter or an attribute") }
            return try members.map {
                try apply(filter, to: $0, Interpreter.Call(positional: rest, named: call.named), interpreter)
            }
        }
        let byAttribute = name.hasSuffix("attr")
        let keeps = name.hasPrefix("select")
        let attribute = call.positional.first ?? .none
        var test = call.positional.first?.text
        if byAttribute {
            test = call.positional.count > 1 ? call.positional[1].text : nil
            rest = Array(call.positional.dropFirst(2))
        }
        return try members.filter { member in
            try interpreter.step()
            let subject = byAttribute ? try interpreter.item(member, attribute) : member
            guard let test else { return subject.isTrue == keeps }
            return try Tests.holds(test, subject, rest) == keeps
        }
    }
}
