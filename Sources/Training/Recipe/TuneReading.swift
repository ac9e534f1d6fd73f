import Basics
import Tuning
import Yams

/// Reads `tune:` of a stage: a method, or a list of methods, by part or pattern.
///
///     tune:
///       language: {method: lora, rank: 16, targets: [query, value]}
///       projector: full
///       vision: [bitfit, norms]
enum TuneReading {
    static func rules(_ stage: RecipeReader) -> [TuningRule] {
        guard let node = stage.node("tune") else { return [] }
        let place = stage.path.isEmpty ? "tune" : "\(stage.path).tune"
        guard let mapping = node.mapping else {
            stage.add(
                "expected parts with methods, found \(RecipeReader.kind(node))",
                fix: "for example tune: {language: lora}",
                at: node.mark?.line, key: "tune")
            return []
        }
        var rules: [TuningRule] = []
        for (key, value) in mapping {
            let selector = key.string ?? ""
            for item in value.sequence.map({ Array($0) }) ?? [value] {
                guard let method = method(item, path: "\(place).\(selector)", stage) else { continue }
                rules.append(TuningRule(selector: selector, method: method))
            }
        }
        return rules
    }

    private static func method(_ node: Node, path: String, _ stage: RecipeReader) -> (any TuningMethod)? {
        var mapping = node
        if let name = node.scalar?.string { mapping = Node([(Node("method"), Node(name))]) }
        let reader = RecipeReader(mapping, path: path, faults: stage.faults)
        guard node.scalar != nil || node.mapping != nil else { return nil }
        guard let name = reader.string("method") else {
            reader.add("\"method\" is missing", fix: "one of \(TuningMethods.names.joined(separator: ", "))")
            return nil
        }
        guard let type = TuningMethods.named(name) else {
            stage.faults.all.append(
                RecipeFault(
                    line: node.mark?.line, path: path, problem: "unknown method \"\(name)\"",
                    fix: Suggestion.fix(for: name, among: TuningMethods.names)))
            return nil
        }
        let method = type.init(reader)
        reader.finish()
        return method
    }
}

extension RecipeReader: TuningOptions {
    func numbers(_ key: String) -> [(pattern: String, value: Double)] {
        guard let node = node(key) else { return [] }
        guard let mapping = node.mapping else {
            add("expected numbers by pattern, found \(Self.kind(node))", at: node.mark?.line, key: key)
            return []
        }
        return mapping.compactMap { pattern, value in
            guard let number = value.float, number > 0 else {
                add("expected a number above 0, found \(Self.kind(value))", at: value.mark?.line, key: key)
                return nil
            }
            return (pattern.string ?? "", number)
        }
    }

    func fault(_ problem: String, fix: String?, key: String?) {
        add(problem, fix: fix, at: key.flatMap { node($0)?.mark?.line }, key: key)
    }
}
