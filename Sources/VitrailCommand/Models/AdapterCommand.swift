import ArgumentParser
import Basics
import Checkpointing
import Tuning
import VisionLanguage

/// `vitrail adapter`.
struct AdapterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapter", abstract: "Merge, list and describe adapters: folders as PEFT has them.",
        discussion: """
            EXAMPLES
              vitrail adapter list runs/
              vitrail adapter info runs/lora/adapters/instruct
              vitrail adapter merge runs/lora/adapters/instruct --model Models/pebble --output merged
            """,
        subcommands: [
            AdapterListCommand.self, AdapterInfoCommand.self, AdapterMergeCommand.self, AdapterWriteCommand.self,
        ])
}

/// `vitrail adapter list`.
struct AdapterListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the adapters below folders.",
        discussion: """
            EXAMPLES
              vitrail adapter list
              vitrail adapter list runs/ --json
            """)

    @Argument(help: "Folders to look below.", completion: .directory)
    var folders: [String] = ["."]

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() throws {
        for folder in folders where !Files.isDirectory(folder) {
            throw UserError("\(folder): no such folder", fix: "name a folder with runs or adapters below it")
        }
        // A folder or an adapter that cannot be read is told of; the others are listed.
        var faults = 0
        func told<Value>(_ body: () throws -> [Value]) throws -> [Value] {
            do { return try body() } catch let problem as any Problem {
                faults += 1
                Console.report(problem)
                return []
            }
        }
        func adapters(below folder: String, depth: Int) throws -> [AdapterDescription] {
            if Files.exists(Paths.join(folder, "adapter_config.json")) {
                return try told { [try AdapterDescription(folder)] }
            }
            guard depth > 0, Files.isDirectory(folder) else { return [] }
            let names = try told { try Files.list(folder, leaveOut: { _ in }) }.filter { !$0.hasPrefix(".") }
            return try names.flatMap { name in
                try adapters(below: folder == "." ? name : Paths.join(folder, name), depth: depth - 1)
            }
        }
        let found = try folders.flatMap { try adapters(below: $0, depth: 6) }
        if json {
            for description in found { Console.out(JSON.object(description.json).serialized()) }
        } else if found.isEmpty {
            Console.error("No adapters below \(folders.joined(separator: ", ")).")
        } else {
            let rows = found.map { description in
                [
                    description.file.path, description.file.type, description.file.methods.joined(separator: "+"),
                    Formatting.count(description.parameters),
                ]
            }
            Console.table([["adapter", "type", "methods", "parameters"]] + rows, to: Console.out)
        }
        if faults > 0 { throw ExitCode(ExitStatus.failed) }
    }
}

/// `vitrail adapter info`.
struct AdapterInfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Say what an adapter is, and whether it fits a model.",
        discussion: """
            EXAMPLES
              vitrail adapter info runs/lora/adapters/instruct
              vitrail adapter info runs/lora/adapters/instruct --model Models/pebble --json
            """)

    @Argument(help: "The adapter's folder.", completion: .directory)
    var adapter: String

    @Option(help: ArgumentHelp("A model that it should fit.", valueName: "folder"), completion: .directory)
    var model: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func run() throws {
        let description = try AdapterDescription(adapter)
        if let model {
            let bundle = try ModelBundle.open(model, on: runtime.backend())
            _ = try description.file.attach(to: bundle)
        }
        if json {
            var object = description.json
            if let model { object["fits"] = .string(model) }
            Console.out(JSON.object(object).serialized())
            return
        }
        var rows = [["", ""]]
        rows.append(["type", description.file.type])
        rows.append(["methods", description.file.methods.joined(separator: ", ")])
        rows.append(["tensors", Formatting.count(description.file.tensors.entries.count)])
        rows.append(["parameters", Formatting.count(description.parameters)])
        rows.append(["base", description.file.configuration["base_model_name_or_path"]?.string ?? "not noted"])
        rows.append(["base SHA-256", description.file.baseDigest ?? "not noted"])
        if let prompt = description.file.captionPrompt { rows.append(["caption prompt", prompt]) }
        if let model { rows.append(["fits", model]) }
        for row in rows.dropFirst() { Console.out(row[0].padding(to: 16) + row[1]) }
    }
}

/// `vitrail adapter merge`.
struct AdapterMergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Write a model with an adapter folded into its weights.",
        discussion: """
            EXAMPLES
              vitrail adapter merge runs/lora/adapters/instruct --model Models/pebble --output merged
            """)

    @Argument(help: "The adapter's folder.", completion: .directory)
    var adapter: String

    @Option(help: ArgumentHelp("The base model's folder.", valueName: "folder"), completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("Where the merged model goes.", valueName: "folder"), completion: .directory)
    var output: String

    @Flag(help: "Print one JSON object about what was written.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func run() throws {
        guard !Files.exists(output) else {
            throw UserError("\(output): something is there already", fix: "name another folder with --output")
        }
        let bundle = try ModelBundle.open(model, on: runtime.backend())
        let tuning = try AdapterFile(adapter).attach(to: bundle)
        try tuning.merge()
        try Files.createDirectory(Paths.parent(output))
        let directory = try AtomicDirectory(output)
        try bundle.write(to: directory.path)
        try directory.commit()
        let methods = tuning.methods.map(\.rule.method.name)
        try Written.folder(
            output, "model", json: json, "Merged \(methods.joined(separator: ", ")) into \(output)",
            facts: ["merged": .array(methods.map { .string($0) })])
    }
}

/// What a folder says about its adapter.
struct AdapterDescription {
    let file: AdapterFile
    let parameters: Int

    init(_ folder: String) throws {
        file = try AdapterFile(folder)
        parameters = file.tensors.entries.reduce(0) { $0 + $1.count }
    }

    var json: JSONObject {
        [
            "adapter": .string(file.path), "type": .string(file.type),
            "methods": .array(file.methods.map { .string($0) }), "tensors": .int(file.tensors.entries.count),
            "parameters": .int(parameters),
            "base": file.configuration["base_model_name_or_path"] ?? .null,
            "base_sha256": file.baseDigest.map { .string($0) } ?? .null,
            "caption_prompt": file.captionPrompt.map { .string($0) } ?? .null,
        ]
    }
}

extension String {
    /// The text, with spaces behind it up to a width.
    fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
