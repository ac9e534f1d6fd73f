/// Methods of Python's strings, dictionaries and lists that templates call.
enum Methods {
    private static let strings: Set<String> = [
        "upper", "lower", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith",
        "replace",
        "title", "capitalize", "find", "rfind", "count", "join", "isdigit", "isalpha", "isspace", "isupper", "islower",
        "removeprefix", "removesuffix", "partition",
    ]
    private static let dictionaries: Set<String> = ["items", "keys", "values", "get"]
    private static let lists: Set<String> = ["index", "count"]

    static func exists(_ name: String, on value: Value) -> Bool {
        switch value {
        case .string: strings.contains(name)
        case .dictionary: dictionaries.contains(name)
        case .list: lists.contains(name)
        default: false
        }
    }

    static func call(
        _ name: String, on value: Value, _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> Value {
        switch value {
        case .string(let text): return try string(name, text, call, interpreter)
        case .dictionary(let members):
            switch name {
            case "items": return .list(members.entries.map { .list([$0.key, $0.value]) })
            case "keys": return .list(members.entries.map(\.key))
            case "values": return .list(members.entries.map(\.value))
            default: return members[call.argument(0, "key") ?? .none] ?? call.argument(1, "default") ?? .none
            }
        case .list(let members):
            let wanted = call.argument(0, "value") ?? .none
            if name == "count" { return .integer(members.count { $0.equals(wanted) }) }
            guard let index = members.firstIndex(where: { $0.equals(wanted) }) else {
                throw Failure("\(wanted.representation) is not in the list")
            }
            return .integer(index)
        case .integer(let index) where name == "cycle":
            guard !call.positional.isEmpty else { throw Failure("cycle needs values") }
            return call.positional[index % call.positional.count]
        default: throw Failure("\(value.typeName) has no method \"\(name)\"")
        }
    }

    private static func string(
        _ name: String, _ text: String, _ call: Interpreter.Call, _ interpreter: Interpreter
    ) throws -> Value {
        let first = call.argument(0, "sep") ?? call.argument(0, "old")
        func needed() throws -> String {
            guard case .string(let part)? = first else { throw Failure("\(name) needs a string") }
            return part
        }
        let scalars = text.unicodeScalars
        switch name {
        case "upper": return .string(text.uppercased())
        case "lower": return .string(text.lowercased())
        case "title": return .string(titled(text))
        case "capitalize": return .string(capitalized(text))
        case "strip", "lstrip", "rstrip":
            return .string(strip(text, first?.text, left: name != "rstrip", right: name != "lstrip"))
        case "split", "rsplit":
            let limit = call.argument(1, "maxsplit")?.asInteger ?? -1
            return .list(try split(text, first, limit, fromRight: name == "rsplit").map { .string($0) })
        case "splitlines": return .list(lines(text).map { .string($0) })
        case "startswith", "endswith":
            var choices = [first ?? .none]
            if case .list(let members)? = first { choices = members }
            return .bool(
                choices.contains { choice in
                    let part = Array(choice.text.utf8)
                    return name == "startswith"
                        ? text.utf8.starts(with: part) : text.utf8.reversed().starts(with: part.reversed())
                })
        case "replace":
            guard let new = call.argument(1, "new") else { throw Failure("replace needs two strings") }
            return .string(
                try replace(text, try needed(), new.text, call.argument(2, "count")?.asInteger, interpreter))
        case "removeprefix":
            let part = try needed()
            return .string(
                text.utf8.starts(with: part.utf8) ? String(scalars.dropFirst(part.unicodeScalars.count)) : text)
        case "removesuffix":
            let part = try needed()
            let matches = !part.isEmpty && text.utf8.reversed().starts(with: part.utf8.reversed())
            return .string(matches ? String(scalars.dropLast(part.unicodeScalars.count)) : text)
        case "find", "rfind", "count", "partition": return try search(name, text, try needed())
        case "join": return .string(try joined((first ?? .list([])).members(), text, interpreter))
        case "isdigit": return .bool(!text.isEmpty && scalars.allSatisfy { $0.properties.numericType != nil })
        case "isalpha": return .bool(!text.isEmpty && scalars.allSatisfy(\.properties.isAlphabetic))
        case "isspace": return .bool(!text.isEmpty && scalars.allSatisfy(isSpace))
        case "isupper": return .bool(text == text.uppercased() && text != text.lowercased())
        default: return .bool(text == text.lowercased() && text != text.uppercased())
        }
    }

    private static func search(_ name: String, _ text: String, _ part: String) throws -> Value {
        let (bytes, wanted) = (Array(text.utf8), Array(part.utf8))
        func position(_ index: Int) -> Int { String(decoding: bytes[..<index], as: UTF8.self).unicodeScalars.count }
        var found: [Int] = []
        var index = 0
        while let match = find(wanted, in: bytes, from: index) {
            found.append(match)
            index = match + max(wanted.count, 1)
            if name != "rfind" && name != "count" { break }
        }
        switch name {
        case "count": return .integer(found.count)
        case "partition":
            guard let match = found.first else { return .list([.string(text), .string(""), .string("")]) }
            let after = bytes[(match + wanted.count)...]
            return .list([
                .string(String(decoding: bytes[..<match], as: UTF8.self)), .string(part),
                .string(String(decoding: after, as: UTF8.self)),
            ])
        default: return .integer((name == "rfind" ? found.last : found.first).map(position) ?? -1)
        }
    }

    /// Where bytes stand first, at or behind an index.
    static func find(_ part: [UInt8], in text: [UInt8], from start: Int = 0) -> Int? {
        guard part.count <= text.count, start <= text.count - part.count else { return nil }
        return (start...text.count - part.count).first { text[$0..<$0 + part.count].elementsEqual(part) }
    }

    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }

    static func strip(_ text: String, _ characters: String?, left: Bool, right: Bool) -> String {
        let set = characters.map { Set($0.unicodeScalars) }
        func goes(_ scalar: Unicode.Scalar) -> Bool { set.map { $0.contains(scalar) } ?? isSpace(scalar) }
        var scalars = Substring(text).unicodeScalars
        while left, let scalar = scalars.first, goes(scalar) { scalars.removeFirst() }
        while right, let scalar = scalars.last, goes(scalar) { scalars.removeLast() }
        return String(Substring(scalars))
    }

    static func replace(
        _ text: String, _ old: String, _ new: String, _ count: Int?, _ interpreter: Interpreter
    ) throws -> String {
        let (bytes, part) = (Array(text.utf8), Array(old.utf8))
        var limit = count.map { $0 < 0 ? Int.max : $0 } ?? Int.max
        guard !part.isEmpty else { throw Failure("replacing an empty string is not supported") }
        var result: [UInt8] = []
        var index = 0
        while limit > 0, let match = find(part, in: bytes, from: index) {
            result += bytes[index..<match] + Array(new.utf8)
            try interpreter.check(length: result.count)
            index = match + part.count
            limit -= 1
        }
        return String(decoding: result + bytes[index...], as: UTF8.self)
    }

    private static func split(_ text: String, _ separator: Value?, _ limit: Int, fromRight: Bool) throws -> [String] {
        let maxSplits = limit < 0 ? Int.max : limit
        guard case .string(let separator)? = separator else {
            let words = text.unicodeScalars.split(maxSplits: maxSplits, whereSeparator: isSpace).map { String($0) }
            guard maxSplits < Int.max, let last = words.last else { return words }
            return words.dropLast() + [strip(last, nil, left: true, right: words.count <= maxSplits)]
        }
        guard !separator.isEmpty else { throw Failure("an empty separator") }
        let (bytes, part) = (Array(text.utf8), Array(separator.utf8))
        var cuts: [Int] = []
        var index = 0
        while let match = find(part, in: bytes, from: index) {
            cuts.append(match)
            index = match + part.count
        }
        cuts = fromRight ? cuts.suffix(min(maxSplits, cuts.count)) : cuts.prefix(min(maxSplits, cuts.count)).map { $0 }
        var result: [String] = []
        var start = 0
        for cut in cuts {
            result.append(String(decoding: bytes[start..<cut], as: UTF8.self))
            start = cut + part.count
        }
        return result + [String(decoding: bytes[start...], as: UTF8.self)]
    }

    private static func lines(_ text: String) -> [String] {
        var result = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }.map(
            String.init)
        if result.last == "" { result.removeLast() }
        return result
    }

    static func joined(_ members: [Value], _ separator: String, _ interpreter: Interpreter) throws -> String {
        let (between, overflow) = separator.utf8.count.multipliedReportingOverflow(by: max(0, members.count - 1))
        try interpreter.check(length: overflow ? .max : between)
        var length = between
        let texts = try members.map { member in
            let text = try interpreter.text(of: member)
            length += text.utf8.count
            try interpreter.check(length: length)
            return text
        }
        return texts.joined(separator: separator)
    }

    static func capitalized(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst().lowercased()
    }

    static func titled(_ text: String) -> String {
        var result = ""
        var isInside = false
        for character in text {
            result += isInside ? character.lowercased() : character.uppercased()
            isInside = character.isLetter
        }
        return result
    }
}
