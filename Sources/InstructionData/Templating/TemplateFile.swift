import Basics
import Jinja
import Yams

/// This project's template files.
///
/// ```yaml
/// task: captioning-brief
/// summary: one sentence about a picture
/// fields: {caption: answer}
/// metrics: [cider]
/// answer: "{{ caption }}"
/// templates:
///   - {name: provide, prompt: Provide a one-sentence caption for the provided image.}
/// ```
struct TemplateFile {
    private let path: String
    private let metrics: [String]
    private var faults: [(line: Int?, reason: String)] = []

    /// - Throws: `TemplateError` with all faults.
    static func read(_ root: Node, path: String, metrics: [String]) throws(TemplateError) -> TemplateTask {
        var file = TemplateFile(path: path, metrics: metrics)
        let task = file.task(root)
        guard file.faults.isEmpty else {
            throw TemplateError(path: path, faults: file.faults.sorted { ($0.line ?? 0) < ($1.line ?? 0) })
        }
        return task
    }

    private init(path: String, metrics: [String]) {
        self.path = path
        self.metrics = metrics
    }

    private mutating func fault(_ node: Node?, _ reason: String) { faults.append((node?.mark?.line, reason)) }

    private mutating func task(_ root: Node) -> TemplateTask {
        checkKeys(root, ["task", "summary", "fields", "metrics", "answer", "choices", "templates"])
        let name = text(root, "task", required: true) ?? ""
        let fields = self.fields(root["fields"])
        let measures = self.measures(root["metrics"])
        let known = Set(fields.map(\.name)).union(["question", "answer"])
        let answer = text(root, "answer")
        let choices = text(root, "choices")
        var templates: [PromptTemplate] = []
        let nodes = root["templates"]?.sequence.map(Array.init) ?? []
        if nodes.isEmpty { fault(root["templates"] ?? root, "\"templates\" must be a list with at least one phrasing") }
        for node in nodes {
            checkKeys(node, ["name", "prompt", "answer", "choices", "inverted", "metrics"])
            guard let phrasing = text(node, "name", required: true), let prompt = text(node, "prompt", required: true)
            else { continue }
            let full = "\(name)/\(phrasing)"
            if templates.contains(where: { $0.name == full }) {
                fault(node, "two phrasings are called \"\(phrasing)\"")
            }
            guard let answer = text(node, "answer") ?? answer else {
                fault(node, "\"\(phrasing)\" has no \"answer\", and the task has none for all")
                continue
            }
            var isInverted = false
            if let flag = node["inverted"] {
                if let value = flag.bool {
                    isInverted = value
                } else {
                    fault(flag, "\"inverted\" must be true or false")
                }
            }
            guard let promptTemplate = parse(prompt, full, node["prompt"] ?? node),
                let answerTemplate = parse(answer, full, node["answer"] ?? root["answer"] ?? node)
            else { continue }
            let options = text(node, "choices") ?? choices
            let own = self.measures(node["metrics"])
            let template = PromptTemplate(
                name: full, task: name, form: .parts(prompt: promptTemplate, answer: answerTemplate),
                choices: options.flatMap { parse($0, full, node["choices"] ?? root["choices"] ?? node) },
                isInverted: isInverted, metrics: own.isEmpty ? measures : own)
            for used in template.names.sorted() where !known.contains(used) {
                fault(
                    node,
                    "\"\(phrasing)\" uses \"\(used)\", which is no field of the task"
                        + Suggestion.phrase(for: used, among: known.sorted()))
            }
            templates.append(template)
        }
        return TemplateTask(
            name: name, summary: text(root, "summary") ?? "", fields: fields, metrics: measures, templates: templates)
    }

    private mutating func checkKeys(_ node: Node, _ known: [String]) {
        guard let mapping = node.mapping else { return fault(node, "expected keys and values") }
        for (key, _) in mapping {
            let word = key.string ?? ""
            if !known.contains(word) {
                fault(key, "unknown key \"\(word)\"" + Suggestion.phrase(for: word, among: known))
            }
        }
    }

    private mutating func text(_ node: Node, _ key: String, required: Bool = false) -> String? {
        guard let value = node[key] else {
            if required { fault(node, "\"\(key)\" is missing") }
            return nil
        }
        guard let scalar = value.scalar, !required || !scalar.string.trimmed.isEmpty else {
            fault(value, "\"\(key)\" must be a text")
            return nil
        }
        return scalar.string
    }

    private mutating func parse(_ source: String, _ name: String, _ node: Node) -> Template? {
        do { return try Template(source, name: name, trimsBlocks: false) } catch {
            fault(node, "\(error.template): \(error.reason)")
            return nil
        }
    }

    private mutating func fields(_ node: Node?) -> [(name: String, source: TemplateTask.FieldSource)] {
        guard let node else { return [] }
        guard let mapping = node.mapping else {
            fault(node, "\"fields\" must be names with where they come from")
            return []
        }
        var fields: [(name: String, source: TemplateTask.FieldSource)] = []
        for (key, value) in mapping {
            let words = TemplateTask.FieldSource.allCases.map(\.rawValue)
            if let source = TemplateTask.FieldSource(rawValue: value.string ?? "") {
                fields.append((key.string ?? "", source))
            } else {
                fault(value, "a field comes from one of: \(words.joined(separator: ", "))")
            }
        }
        return fields
    }

    private mutating func measures(_ node: Node?) -> [String] {
        guard let node else { return [] }
        let names = node.sequence?.compactMap { $0.string } ?? node.scalar.map { [$0.string] } ?? []
        for name in names where !metrics.isEmpty && !metrics.contains(name) {
            fault(node, "unknown metric \"\(name)\"" + Suggestion.phrase(for: name, among: metrics))
        }
        return names
    }
}
