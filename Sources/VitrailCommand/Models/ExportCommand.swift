import ArgumentParser
import Basics
import CPUBackend
import Checkpointing
import NeuralNetwork
import Training
import VisionLanguage

/// `vitrail export`.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a run's model, or any model folder, as a folder that transformers opens.",
        discussion: """
            EXAMPLES
              vitrail export runs/pebble pebble-tuned
              vitrail export runs/pebble/final small --dtype bfloat16 --shard-size 2GB
              vitrail export runs/pebble/final tiny --quantize q4
              vitrail export runs/lora my-adapter --unmerged
              vitrail export models/llava-v1.5-7b llava-hf --tower models/clip-vit-large-patch14-336
              vitrail export models/qwen bigger --add-token '<box>' --add-token '</box>' --vocabulary-multiple 64

            With --quantize the folder is for vitrail alone: transformers does not read blocks.
            """)

    @Argument(help: "A run's folder, a checkpoint of one, or a model folder.", completion: .directory)
    var source: String

    @Argument(help: "The folder to make.", completion: .directory)
    var output: String

    @Option(help: "Type of the weights: float32, float16 or bfloat16 (default: as they are).")
    var dtype: WeightType?

    @Option(help: "Write the decoder's weights in 8 or 4 bits, in blocks with a scale: q8 or q4.")
    var quantize: QuantizeOption?

    @Option(help: ArgumentHelp("Largest file, as 500MB or 5GB.", valueName: "size"))
    var shardSize = "5GB"

    @Option(help: "Folder of the tower, for a model in LLaVA's own layout, which leaves it out.")
    var tower: String?

    @Option(
        name: .customLong("add-token"),
        help: "A special token to add; its row is the mean of the others. May be repeated.")
    var tokens: [String] = []

    @Option(help: "Round the embedding's rows up to a multiple of this.")
    var vocabularyMultiple = 1

    @Flag(help: "Replace the folder if it is there.")
    var force = false

    @Flag(help: "Write the adapters that the run trained, as PEFT folders, instead of a model with them folded in.")
    var unmerged = false

    @Flag(help: "Print one JSON object about what was written.")
    var json = false

    func validate() throws {
        try (1...65_536).check(vocabularyMultiple, "--vocabulary-multiple")
        if unmerged, dtype != nil || quantize != nil || tower != nil || !tokens.isEmpty {
            throw ValidationError("--unmerged writes adapters as they are, without any other option.")
        }
        if tokens.contains(where: \.isEmpty) { throw ValidationError("--add-token needs a token.") }
        _ = try shardLimit()
        if dtype != nil && quantize != nil { throw ValidationError("--dtype and --quantize exclude each other.") }
    }

    func run() throws {
        let limit = try shardLimit()
        let run = RunFolder(source)
        let folder = run.isFinished ? run.final : source
        guard force || !Files.exists(output) else {
            throw UserError("\(output) is there already", fix: "pass --force to replace it, or name another folder")
        }
        try Replacement.check(output, holding: ["config.json", "adapter_config.json"], than: [source, folder])
        if unmerged { return try exportAdapters(run) }
        try AdapterOptions.refuseUnfinished(folder)
        let adapter = AdapterOptions.ownFolder(of: folder)
        if let adapter, changesWeights {
            throw UserError(
                "\(adapter): this adapter is no part of the weights, and holds for them as they are only",
                fix: "leave --dtype, --quantize, --add-token and --vocabulary-multiple out")
        }
        let bundle = try ModelBundle.open(
            folder, tower: tower, vocabulary: VocabularyGrowth(tokens: tokens, multiple: vocabularyMultiple),
            on: CPUBackend(threads: nil))
        try Files.createDirectory(Paths.parent(output))
        let directory = try AtomicDirectory(output)
        Interruption.listen()
        if let quantize { bundle.model.store(quantize.storage) }
        try bundle.write(
            to: directory.path, element: dtype?.element, storage: quantize?.storage, shardLimit: limit,
            beforeEach: Interruption.check)
        try Files.write(try card(run, bundle), to: directory.file("README.md"))
        if let adapter { try copy(adapter, to: directory.file("adapter")) }
        try directory.commit()
        if adapter != nil {
            Console.error(
                "The adapter lies in \(Paths.join(output, "adapter")): vitrail takes it from there, other programs when told to."
            )
        }
        try Written.folder(
            output, "model", json: json, "Model: \(output)",
            facts: ["parameters": .int(bundle.model.parameters.count)])
    }

    /// The adapters of a run: one stage's in the folder itself, those of several each in a folder of the stage's name.
    private func exportAdapters(_ run: RunFolder) throws {
        let place = Paths.join(source, "adapters")
        let stages =
            Files.isDirectory(place) ? try Files.list(place).filter { Files.isDirectory(Paths.join(place, $0)) } : []
        guard !stages.isEmpty else {
            throw UserError(
                "\(source) holds no adapters",
                fix: "leave --unmerged out, or name a run with tune: in one of its stages")
        }
        try Files.createDirectory(Paths.parent(output))
        let directory = try AtomicDirectory(output)
        for stage in stages {
            try copy(
                Paths.join(place, stage), to: stages.count == 1 ? directory.path : Paths.join(directory.path, stage))
        }
        try directory.commit()
        try Written.folder(output, "adapter", json: json, "Adapter: \(output)")
    }

    private func copy(_ folder: String, to target: String) throws {
        try Files.createDirectory(target)
        for name in try Files.list(folder) {
            try Files.write(Files.read(Paths.join(folder, name), limit: .max), to: Paths.join(target, name))
        }
    }

    /// Whether the weights written are others than those read.
    private var changesWeights: Bool {
        dtype ?? .float32 != .float32 || quantize != nil || !tokens.isEmpty || vocabularyMultiple > 1
    }

    private func shardLimit() throws -> Int {
        let units = [("GB", 1_000_000_000), ("MB", 1_000_000)]
        for (unit, bytes) in units where shardSize.uppercased().hasSuffix(unit) {
            guard let number = Int(shardSize.dropLast(2)), (1...1_000_000).contains(number) else { break }
            return number * bytes
        }
        throw ValidationError("--shard-size \(shardSize) is no size. Write 500MB or 5GB.")
    }

    /// The model card: what the model is, and what it was trained on.
    private func card(_ run: RunFolder, _ bundle: ModelBundle) throws -> String {
        var text = """
            ---
            library_name: \(bundle.model.configuration.layout == .nanoVLM ? "nanovlm" : "transformers")
            pipeline_tag: \(bundle.model.configuration.vision == nil ? "text-generation" : "image-text-to-text")
            ---
            # \(Paths.name(output))

            \(Formatting.count(bundle.model.parameters.count)) parameters, chat template `\(bundle.templateName)`, written by vitrail \(Version.current).

            """
        if Files.exists(run.recipe) {
            text += "\nTrained by this recipe:\n\n```yaml\n\(try Files.readText(run.recipe))```\n"
        }
        return text
    }
}

/// A type of weights by name.
enum WeightType: String, ExpressibleByArgument, CaseIterable {
    case float32
    case float16
    case bfloat16

    var element: TensorElement {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        }
    }
}
