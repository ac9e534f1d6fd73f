import ArgumentParser
import Basics
import InstructionData
import VisionLanguage

/// `vitrail caption`.
struct CaptionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "caption", abstract: "Describe pictures: files, folders, patterns, tar archives or lists.",
        discussion: """
            EXAMPLES
              vitrail caption --model runs/pebble/final photo.jpg
              vitrail caption --model runs/pebble/final photos/ 'scans/*.png' --output captions.jsonl
              vitrail caption --model runs/pebble/final --input list.txt --json

            With --output each caption is appended as it is done, and a second call goes on where the first stopped.
            """)

    @Argument(help: "Pictures: files, folders, patterns or tar archives.", completion: .file())
    var pictures: [String] = []

    @Option(help: ArgumentHelp("Model folder.", valueName: "folder"), completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("List of pictures: a path a line, or JSONL with \"image\".", valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("Folder that the paths of --input are relative to.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("Append results to this JSONL file.", valueName: "file"))
    var output: String?

    @Option(help: ArgumentHelp("What the model is asked.", valueName: "text"))
    var prompt = "Describe the image concisely."

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var adapters: AdapterOptions
    @OptionGroup var generation: GenerationOptions
    @OptionGroup var quantization: QuantizeOptions
    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if pictures.isEmpty && input == nil { throw ValidationError("Name pictures, or a list with --input.") }
    }

    func run() throws {
        try Files.requireOther([output], than: [input] + pictures.map { $0 })
        var references = try PictureList.expand(pictures)
        if let input { references += try PictureList.read(input, images: images) }
        let items = references.map { AnswerItem(id: $0.description, images: [$0], question: prompt) }
        try InferenceRun.run(
            items, model: model, output: output, field: "caption", json: json, generation, adapters,
            quantization, runtime, noun: "captions")
    }
}

/// What `caption` and `answer` share: open, run, report, exit code.
enum InferenceRun {
    static func run(
        _ items: [AnswerItem], model: String, output: String?, field: String, json: Bool,
        _ generation: GenerationOptions, _ adapters: AdapterOptions, _ quantization: QuantizeOptions,
        _ runtime: RuntimeOptions, noun: String
    ) throws {
        let (bundle, changes) = try quantization.openSwitching(model, adapters, runtime)
        if bundle.model.configuration.vision == nil, items.contains(where: { !$0.images.isEmpty }) {
            throw UserError(
                "\(model): this model has no vision tower, so it cannot look at pictures",
                fix: "take a model with one, or ask without pictures: vitrail answer --question …")
        }
        Interruption.listen()
        let job = AnswerJob(
            bundle: bundle, options: generation, output: output, field: field, json: json, adapters: changes)
        let outcome = try job.run(items)
        if let output {
            let rate = Double(outcome.done) / max(outcome.seconds, 1e-9)
            var text = "\(Formatting.count(outcome.done)) \(noun) in \(Formatting.duration(outcome.seconds)) "
            text += "(\(Formatting.decimal(rate, 1)) a second) → \(output)"
            if outcome.skipped > 0 { text += "; \(Formatting.count(outcome.skipped)) were there already" }
            if outcome.failed > 0 { text += "; \(outcome.failed) failed" }
            Console.error(text)
            if outcome.failedBefore > 0 {
                Console.error(
                    "\(outcome.failedBefore) of those there have an \"error\" instead; delete their lines to try them again"
                )
            }
        }
        if Interruption.isRequested {
            Console.error("Stopped; the same command goes on from here.")
            throw ExitCode(ExitStatus.interrupted)
        }
        if outcome.failed + outcome.failedBefore > 0 { throw ExitCode(ExitStatus.failed) }
    }
}
