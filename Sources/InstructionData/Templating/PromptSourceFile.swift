import Basics
import Jinja
import Yams

/// PromptSource's files, as P3 was made with: `dataset`, `subset`, and `templates`, a mapping from ids to `!Template`.
///
/// Each is one Jinja text with `|||` between input and target, rendered with Jinja's own defaults.
enum PromptSourceFile {
    /// - Throws: `TemplateError` with all faults.
    static func read(_ root: Node, path: String) throws(TemplateError) -> TemplateTask {
        var faults: [(line: Int?, reason: String)] = []
        let dataset = [root["dataset"]?.string, root["subset"]?.string].compactMap { $0 }.filter { $0 != "null" }
        let task = dataset.isEmpty ? Paths.name(Paths.parent(path)) : dataset.joined(separator: "/")
        var templates: [PromptTemplate] = []
        for (_, node) in root["templates"]?.mapping ?? [:] {
            let name = "\(task)/\(node["name"]?.string ?? "template \(templates.count + 1)")"
            guard let source = node["jinja"]?.scalar?.string else {
                faults.append((node.mark?.line, "\(name) has no \"jinja\""))
                continue
            }
            // A template that is kept for later has no text.
            if source.trimmed.isEmpty { continue }
            let answers = node["answer_choices"]?.scalar
            let hasAnswers = answers.map { !$0.string.isEmpty && node["answer_choices"]?.null == nil } ?? false
            do throws(JinjaError) {
                let text = try Template(source, name: name, trimsBlocks: false)
                var choices: Template?
                if hasAnswers, let answers {
                    choices = try Template(answers.string, name: name, trimsBlocks: false)
                }
                let metadata = node["metadata"]
                templates.append(
                    PromptTemplate(
                        name: name, task: task, form: .joined(text), choices: choices,
                        isInverted: metadata?["original_task"]?.bool == false,
                        metrics: metadata?["metrics"]?.sequence?.compactMap { $0.string } ?? []))
            } catch {
                faults.append((node.mark?.line, "\(name): \(error.reason)"))
            }
        }
        guard faults.isEmpty else { throw TemplateError(path: path, faults: faults) }
        return TemplateTask(
            name: task, summary: "PromptSource's templates", fields: [], metrics: [],
            templates: templates.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }
}
