import ArgumentParser
import Basics
import Checkpointing
import Tuning
import VisionLanguage

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
        try Written.requireNew(output)
        let bundle = try ModelBundle.open(model, on: runtime.backend())
        let tuning = try AdapterFile(adapter).attach(to: bundle)
        try tuning.merge()
        let directory = try AtomicDirectory(output)
        Interruption.listen()
        try bundle.write(to: directory.path, beforeEach: Interruption.check)
        try directory.commit()
        let methods = tuning.methods.map(\.rule.method.name)
        try Written.folder(
            output, "model", json: json, "Merged \(methods.joined(separator: ", ")) into \(output)",
            facts: ["merged": .array(methods.map { .string($0) })])
    }
}
