import Basics

/// Everything in which a checkpoint and a model differ, told in one error.
struct KeyDifferences {
    var missing: [(path: String, key: String)] = []
    var unexpected: [String] = []
    var shapes: [(name: String, found: [Int], wanted: [Int], path: String)] = []
    var elements: [(name: String, found: TensorElement, path: String)] = []
    var doubled: [(String, String)] = []
    var ties: [(name: String, tie: TiedKey)] = []

    /// Lines of each kind that are written out.
    private static let listed = 8

    /// - Throws: ``CheckpointError`` when there is any difference.
    func check(path: String, among names: [String]) throws(CheckpointError) {
        let counts = [
            (missing.count, "missing"), (unexpected.count, "unexpected"), (shapes.count, "of another shape"),
            (elements.count, "of another element type"), (doubled.count, "given twice"),
            (ties.count, "unlike the tensor that they should repeat"),
        ].filter { $0.0 > 0 }
        guard !counts.isEmpty else { return }
        var lines = ["the weights do not fit the model: " + counts.map { "\($0.0) \($0.1)" }.joined(separator: ", ")]
        lines += Self.list(missing, "missing") { item in
            let nearest = Suggestion.phrase(for: item.key, among: unexpected)
            return "\(item.path), expected as \"\(item.key)\"\(nearest)"
        }
        lines += Self.list(unexpected, "unexpected") { "\"\(CheckpointError.shortened($0))\"" }
        lines += Self.list(shapes, "shape") { "\"\($0.name)\" is \($0.found), \($0.path) needs \($0.wanted)" }
        lines += Self.list(elements, "element type") {
            "\"\($0.name)\" is \($0.found.rawValue), \($0.path) needs floats"
        }
        lines += Self.list(doubled, "twice") { "\"\($0.0)\" and \"\($0.1)\" are the same tensor in two spellings" }
        lines += Self.list(ties, "tied") { "\"\($0.name)\" differs from \"\($0.tie.original)\", to which it is tied" }
        throw CheckpointError(.mismatch, path, lines.joined(separator: "\n  "), fix: fix)
    }

    private static func list<T>(_ items: [T], _ kind: String, _ text: (T) -> String) -> [String] {
        let lines = items.prefix(listed).map { "\(kind): \(text($0))" }
        return items.count > listed ? lines + ["\(kind): … and \(items.count - listed) more"] : lines
    }

    private var fix: String {
        if unexpected.contains(where: { $0.contains("lora_") || $0.hasPrefix("base_model.") }) {
            return "this looks like an adapter: name the model it was made for, and the adapter beside it"
        }
        if missing.isEmpty, unexpected.isEmpty, shapes.isEmpty, doubled.isEmpty, elements.isEmpty {
            return "set \"tie_word_embeddings\" to false in config.json, or remove the tensor"
        }
        if missing.allSatisfy({ $0.key.hasSuffix("lm_head.weight") }), !missing.isEmpty, unexpected.isEmpty,
            shapes.isEmpty
        {
            return "if the output head is the embedding, set \"tie_word_embeddings\" to true in config.json"
        }
        if missing.isEmpty, unexpected.isEmpty {
            return "config.json describes another size of model than the weights: take both from the same place"
        }
        return "config.json and the weights must come from the same model: check that the folder holds both"
    }
}
