import ArgumentParser
import Basics
import Checkpointing
import Tuning
import VisionLanguage

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

extension String {
    /// The text, with spaces behind it up to a width.
    fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
