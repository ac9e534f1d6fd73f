import ArgumentParser
import Basics
import InstructionData
import Training
import VisionLanguage

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `vitrail score`.
struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Say how likely a model finds given answers: loss and perplexity, nothing generated.",
        discussion: """
            EXAMPLES
              vitrail score runs/pebble/final --data data/shapes/val/records.jsonl
              vitrail score model --data held-out.jsonl --json            a line a record
              vitrail score model --data held-out.jsonl --tokens          with ids and −log p of every token
              vitrail score model --text held-out.txt                     plain text instead of answers
            """)

    @Argument(help: "Model folder.", completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("Conversations as JSON or JSONL, or a folder with records.jsonl.", valueName: "file"))
    var data: String?

    @Option(help: ArgumentHelp("Plain text instead: a text a line, or JSONL with \"text\".", valueName: "file"))
    var text: String?

    @Option(help: ArgumentHelp("Folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("Chat template by name (default: the model's).", valueName: "name"))
    var template: String?

    @Option(help: ArgumentHelp("Records computed at once.", valueName: "n"))
    var batchSize = 16

    @Option(help: ArgumentHelp("Only the first n records.", valueName: "n"))
    var limit: Int?

    @Flag(help: "Print one JSON object a record, then one with the sum.")
    var json = false

    @Flag(help: "As --json, with ids and −log p of every token of the answers.")
    var tokens = false

    @OptionGroup var adapters: AdapterOptions
    @OptionGroup var quantization: QuantizeOptions
    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if (data == nil) == (text == nil) { throw ValidationError("Give either --data, or --text.") }
        if text != nil, images != nil || template != nil {
            throw ValidationError("--images and --template are of conversations, and go with --data.")
        }
        if text != nil && tokens { throw ValidationError("--tokens tells of answers, and goes with --data.") }
        try (1...65_536).check(batchSize, "--batch-size")
        try OptionRange.limit.check(limit, "--limit")
    }

    func run() throws {
        try ImageReference.requireFolder(images)
        let bundle = try quantization.open(model, adapters, runtime)
        if let text {
            let texts = Array(try TextLines.read(text).prefix(limit ?? .max))
            let (sum, total) = TextScorer(bundle).score(texts)
            return show(records: texts.count, sum: sum, total: total, of: "tokens of text")
        }
        guard let data else { return }
        let scorer = try AnswerScorer(bundle, data: data, images: images, template: template)
        let count = min(limit ?? scorer.count, scorer.count)
        let most = bundle.model.configuration.language.maximumPositions
        var sum = 0.0
        var (total, tooLong) = (0, 0)
        for start in stride(from: 0, to: count, by: batchSize) {
            for score in try scorer.scores(start..<min(start + batchSize, count)) {
                sum += score.losses.reduce(0) { $0 + Double($1) }
                total += score.losses.count
                if score.ids.count > most { tooLong += 1 }
                if json || tokens { Console.out(score.json(tokens: tokens).serialized()) }
            }
            if !json && !tokens { Console.status("\(Formatting.count(start)) of \(count.counted("record"))") }
        }
        show(records: count, sum: sum, total: total, of: "tokens of answers", tooLong: tooLong)
        if tooLong > 0 {
            Console.error(
                "\(tooLong.counted("record")) of more than the \(Formatting.count(most)) tokens that the model was made for; "
                    + "their loss may mean nothing")
        }
    }

    private func show(records count: Int, sum: Double, total: Int, of what: String, tooLong: Int = 0) {
        let loss = sum / Double(max(1, total))
        let perplexity = exp(loss)
        if json || tokens {
            var all: JSONObject = [
                "records": .int(count), "tokens": .int(total), "loss": .number(loss), "perplexity": .number(perplexity),
            ]
            if tooLong > 0 { all["too_long"] = .int(tooLong) }
            return Console.out(JSON.object(all).serialized())
        }
        Console.facts([
            ("records", Formatting.count(count)), (what, Formatting.count(total)),
            ("loss", Formatting.decimal(loss, 4)), ("perplexity", Formatting.decimal(perplexity, 3)),
        ])
    }
}
