import ArgumentParser
import Basics
import Checkpointing
import Tokenization
import Tuning
import VisionLanguage

/// `vitrail adapter write`.
struct AdapterWriteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Let a hypernetwork (method: hint) write a plain LoRA from an instruction.",
        discussion: """
            EXAMPLES
              vitrail adapter write runs/hint/final/adapter --model runs/hint/final --instruction "Name the shape." --output shape
            """)

    @Argument(help: "The folder of an adapter by hint.", completion: .directory)
    var adapter: String

    @Option(help: ArgumentHelp("The base model's folder.", valueName: "folder"), completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("What the adapter is for, in words.", valueName: "text"))
    var instruction: String

    @Option(help: ArgumentHelp("Where the LoRA goes.", valueName: "folder"), completion: .directory)
    var output: String

    @Flag(help: "Print one JSON object about what was written.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func run() throws {
        try Written.requireNew(output)
        let bundle = try ModelBundle.open(model, on: runtime.backend())
        let tree = bundle.model.parameters
        let writer = try AdapterFile(adapter)
        let tuning = try writer.attach(to: bundle).written(from: bundle.tokenizer.encode(instruction), tree: tree)
        let directory = try AtomicDirectory(output)
        try AdapterFolder.write(
            tuning, tree: tree, table: bundle.keyTable, base: model,
            captionPrompt: writer.captionPrompt, to: directory.path)
        try directory.commit()
        try Written.folder(output, "adapter", json: json, "Wrote a LoRA for \"\(instruction)\": \(output)")
    }
}
