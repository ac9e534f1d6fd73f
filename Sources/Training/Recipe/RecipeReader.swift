import Basics
import Yams

/// Reads one YAML mapping strictly: every key is known, every value of its type, all faults are collected.
final class RecipeReader {
    /// Collects over all mappings of a recipe what is wrong, and which values were assumed because none was given.
    final class Faults {
        var all: [RecipeFault] = []
        var assumed: [(path: String, value: String)] = []
    }

    let path: String
    let faults: Faults
    let line: Int?
    private let values: [(key: String, node: Node)]
    private var known: [String] = []

    init(_ node: Node, path: String, faults: Faults) {
        self.path = path
        self.faults = faults
        line = node.mark?.line
        if let mapping = node.mapping {
            values = mapping.map { ($0.key.string ?? "", $0.value) }
        } else {
            values = []
            faults.all.append(
                RecipeFault(
                    line: line, path: path, problem: "expected keys and values, found \(Self.kind(node))", fix: nil))
        }
        var seen: Set<String> = []
        for (key, node) in values where !seen.insert(key).inserted {
            add("the key \"\(key)\" stands twice", fix: "keep one", at: node.mark?.line)
        }
    }

    /// The node of a key, noting that the key exists.
    func node(_ key: String) -> Node? {
        if !known.contains(key) { known.append(key) }
        guard let node = values.first(where: { $0.key == key })?.node, node.null == nil else { return nil }
        return node
    }

    /// Reports keys that nobody asked for. Call last.
    func finish() {
        for (key, node) in values where !known.contains(key) {
            add(
                "unknown key \"\(key)\"",
                fix: Suggestion.fix(
                    for: key, among: known, or: "known keys here: \(known.joined(separator: ", "))"),
                at: node.mark?.line)
        }
    }

    /// Adds what is wrong with a key's value, at its line.
    func add(_ fault: UserError, key: String) {
        add(fault.problem, fix: fault.fix, at: node(key)?.mark?.line, key: key)
    }

    func add(_ problem: String, fix: String? = nil, at line: Int? = nil, key: String? = nil) {
        let place = key.map { path.isEmpty ? $0 : "\(path).\($0)" } ?? path
        faults.all.append(RecipeFault(line: line ?? self.line, path: place, problem: problem, fix: fix))
    }

    // MARK: Typed values

    func string(_ key: String) -> String? {
        read(key, "a text") { $0.scalar?.string }
    }

    /// The most that a count may say: kernels index with 32 bits.
    static let mostOfACount = Int(Int32.max)

    func int(_ key: String, minimum: Int = 0) -> Int? { int(key, minimum: minimum, maximum: Self.mostOfACount) }

    func int(_ key: String, minimum: Int, maximum: Int) -> Int? {
        let value = read(key, "a whole number") { $0.int }
        if let value, !(minimum...maximum).contains(value) {
            let bound = value < minimum ? "less than \(minimum)" : "more than \(maximum)"
            add("\(value) is \(bound)", at: node(key)?.mark?.line, key: key)
            return nil
        }
        return value
    }

    func double(_ key: String, minimum: Double = 0, maximum: Double = .greatestFiniteMagnitude) -> Double? {
        let value = read(key, "a number") { $0.float }
        if let value, !(minimum...maximum).contains(value) {
            let isOpen = maximum == .greatestFiniteMagnitude
            let range = isOpen ? "at least \(minimum)" : "between \(minimum) and \(maximum)"
            add("\(value) is out of range: it must be \(range)", at: node(key)?.mark?.line, key: key)
            return nil
        }
        return value
    }

    func bool(_ key: String) -> Bool? {
        read(key, "true or false") { $0.bool }
    }

    func strings(_ key: String) -> [String]? {
        guard let node = node(key) else { return nil }
        if let sequence = node.sequence {
            let texts = sequence.compactMap { $0.scalar?.string }
            if texts.count == sequence.count { return texts }
        } else if let scalar = node.scalar {
            return [scalar.string]
        }
        add("expected a list of texts, found \(Self.kind(node))", at: node.mark?.line, key: key)
        return nil
    }

    /// A value of an enumeration, by its name.
    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let name = string(key) else { return nil }
        if let value = Choice(rawValue: name) { return value }
        add(
            "unknown value \"\(name)\"", fix: Suggestion.fix(for: name, among: Choice.allCases.map(\.rawValue)),
            at: node(key)?.mark?.line, key: key)
        return nil
    }

    // MARK: Typed values with a default, which is noted where it is used

    func string(_ key: String, or standard: String) -> String { string(key) ?? assume(key, standard) }

    func int(_ key: String, minimum: Int = 0, maximum: Int = mostOfACount, or standard: Int) -> Int {
        int(key, minimum: minimum, maximum: maximum) ?? assume(key, standard)
    }

    func double(_ key: String, maximum: Double = .greatestFiniteMagnitude, or standard: Double) -> Double {
        double(key, maximum: maximum) ?? assume(key, standard)
    }

    func bool(_ key: String, or standard: Bool) -> Bool { bool(key) ?? assume(key, standard) }

    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, or standard: Choice) -> Choice
    where Choice.RawValue == String {
        if let value = choice(key, Choice.self) { return value }
        _ = assume(key, standard.rawValue)
        return standard
    }

    private func assume<Value>(_ key: String, _ standard: Value) -> Value {
        faults.assumed.append((path.isEmpty ? key : "\(path).\(key)", "\(standard)"))
        return standard
    }

    /// A mapping below this one.
    func mapping<Value>(_ key: String, _ body: (RecipeReader) -> Value) -> Value? {
        guard let node = node(key) else { return nil }
        let reader = RecipeReader(node, path: path.isEmpty ? key : "\(path).\(key)", faults: faults)
        let value = body(reader)
        reader.finish()
        return value
    }

    /// The items of a list; a single item may stand without one.
    func items(_ key: String) -> [(path: String, node: Node)] {
        guard let node = node(key) else { return [] }
        let place = path.isEmpty ? key : "\(path).\(key)"
        guard let sequence = node.sequence else { return [(place, node)] }
        return sequence.enumerated().map { ("\(place)[\($0.offset)]", $0.element) }
    }

    private func read<Value>(_ key: String, _ expected: String, _ convert: (Node) -> Value?) -> Value? {
        guard let node = node(key) else { return nil }
        if let value = convert(node) { return value }
        add("expected \(expected), found \(Self.kind(node))", at: node.mark?.line, key: key)
        return nil
    }

    static func kind(_ node: Node) -> String {
        if let scalar = node.scalar { return "\"\(scalar.string)\"" }
        return node.sequence == nil ? "keys and values" : "a list"
    }
}
