public import Basics
import Yams

/// The tasks of a folder of template files, by name.
public struct TemplateLibrary: Sendable {
    /// The tasks, by the name of their files.
    public let tasks: [TemplateTask]

    /// Tasks that were read before.
    public init(_ tasks: [TemplateTask]) { self.tasks = tasks }

    /// Reads a file, or every `.yaml` file of a folder: this project's form, or PromptSource's (`templates.yaml`).
    ///
    /// - Parameter metrics: the metrics that exist; a file that names another is refused. Empty: any name goes.
    /// - Throws: `TemplateError` with everything that is wrong in a file.
    public init(_ path: String, metrics: [String] = []) throws {
        var files = [path]
        if Files.isDirectory(path) {
            files = try Self.templateFiles(in: path)
            guard !files.isEmpty else {
                throw UserError("\(path) holds no .yaml file", fix: "name a folder of templates, as Datasets/templates")
            }
        }
        var tasks: [TemplateTask] = []
        for file in files {
            let task = try Self.read(file, metrics: metrics)
            if tasks.contains(where: { $0.name == task.name }) {
                throw UserError("\(file): the task \"\(task.name)\" stands in two files", fix: "rename one")
            }
            tasks.append(task)
        }
        self.tasks = tasks
    }

    /// A task by its name.
    /// - Throws: `UserError` that lists the tasks.
    public func task(named name: String) throws(UserError) -> TemplateTask {
        if let found = tasks.first(where: { $0.name == name }) { return found }
        let names = tasks.map(\.name)
        throw UserError(
            "no template file has the task \"\(name)\"" + Suggestion.phrase(for: name, among: names),
            fix: "tasks: \(names.joined(separator: ", "))")
    }

    private static func templateFiles(in folder: String) throws -> [String] {
        try Files.tree(folder).filter { ["yaml", "yml"].contains(Paths.fileExtension($0)) }
            .map { Paths.join(folder, $0) }
    }

    private static func read(_ path: String, metrics: [String]) throws -> TemplateTask {
        let text = try Files.readText(path, limit: 16 << 20)
        guard let root = try YAMLText.root(of: text, source: path), let mapping = root.mapping else {
            throw UserError("\(path): no keys and values", fix: "see Datasets/templates/vqa-short.yaml for an example")
        }
        // PromptSource's templates are a mapping from ids, ours a list.
        if mapping["templates"]?.mapping != nil { return try PromptSourceFile.read(root, path: path) }
        return try TemplateFile.read(root, path: path, metrics: metrics)
    }
}

/// What is wrong in a template file.
public struct TemplateError: Problem {
    /// The file.
    public let path: String
    /// Lines and what is wrong there, in the order of the file.
    public let faults: [(line: Int?, reason: String)]

    /// A line for each fault.
    public var problem: String {
        faults.map { fault in
            fault.line.map { "\(path):\($0): \(fault.reason)" } ?? "\(path): \(fault.reason)"
        }.joined(separator: "\n")
    }

    /// What to do.
    public var fix: String? { "correct these lines; Datasets/templates/README.md describes the form" }
}
