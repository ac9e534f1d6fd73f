import ArgumentParser
import Basics
import InstructionData
import Tokenization
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
            Each line says in made_by what made it, so that another model, prompt or setting is not taken for the same call.
            A recipe's caption_prompt stays with the model that it trains: in vitrail.json, through export and merge, or in the
            adapter's adapter_config.json. It is asked where --prompt does not say otherwise.
            """)

    @Argument(help: "Pictures: files, folders, patterns or tar archives.", completion: .file())
    var pictures: [String] = []

    @Option(help: ArgumentHelp("Model folder.", valueName: "folder"), completion: .directory)
    var model: String

    @Option(
        help: ArgumentHelp(
            "List of pictures: a path a line, or JSONL with \"image\"; ./{a}.png where a path begins with a brace.",
            valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("Folder that the paths of --input are relative to.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("Append results to this JSONL file.", valueName: "file"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "What the model is asked (default: what its folder says, else \"\(usualPrompt)\").", valueName: "text"))
    var prompt: String?

    /// Of LLaVA's first stage.
    private static let usualPrompt = "Describe the image concisely."

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var adapters: AdapterOptions
    @OptionGroup var generation: GenerationOptions
    @OptionGroup var quantization: QuantizeOptions
    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        try GenerationOptions.requireWords(prompt, "--prompt")
        guard Turn(role: .user, content: prompt ?? "").imageCount <= 1 else {
            throw ValidationError(
                "--prompt has several <image> markers. Write one, or none, for the one picture of a caption.")
        }
        if pictures.isEmpty && input == nil { throw ValidationError("Name pictures, or a list with --input.") }
        if input == nil, images != nil {
            throw ValidationError("--images goes with --input; pictures named here are paths.")
        }
    }

    func run() throws {
        try adapters.refuseNames()
        try Files.requireOther([output], than: [input] + pictures.map { $0 })
        try ImageReference.requireFolder(images)
        var list = try PictureList(pictures)
        if let input { try list.read(input, images: images) }
        let call = InferenceRun(
            model: model, output: output, field: "caption", noun: "caption", json: json, generation: generation,
            adapters: adapters, quantization: quantization, runtime: runtime)
        try call.run(leftOut: list.leftOut, store: list.store) { bundle in
            let question = prompt ?? bundle.captionPrompt ?? Self.usualPrompt
            return list.pictures.map { AnswerItem(id: $0.description, images: [$0], question: question) }
        }
    }
}
