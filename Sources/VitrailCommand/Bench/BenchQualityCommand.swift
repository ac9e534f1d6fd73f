import ArgumentParser
import Basics
import Evaluation
import InstructionData
import NeuralNetwork
import TensorCore
import Training
import VisionLanguage

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `vitrail bench quality`.
struct BenchQualityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quality",
        abstract: "Say what rounding weights costs: perplexity and right answers at float32, bfloat16, q8 and q4.",
        discussion: """
            EXAMPLES
              vitrail bench quality models/stories --text held-out.txt
              vitrail bench quality runs/easy/final --questions test.questions.jsonl --records train.jsonl --limit 2000
              vitrail bench quality runs/easy/final --questions test.questions.jsonl --forms bfloat16,q8,q4 --json

            --text is a text a line, or JSONL with "text". --records are conversations: the perplexity of their answers.
            """)

    @Argument(help: "Model folder with plain weights.", completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("Questions with answers as JSONL.", valueName: "file"))
    var questions: String?

    @Option(help: ArgumentHelp("Conversations whose answers are scored.", valueName: "file"))
    var records: String?

    @Option(help: ArgumentHelp("Text that is scored.", valueName: "file"))
    var text: String?

    @Option(help: ArgumentHelp("Folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("Metric of the answers, as in vitrail evaluate.", valueName: "name"))
    var metric = "exact"

    @Option(help: ArgumentHelp("Forms, separated by commas: float32, bfloat16, q8, q4.", valueName: "names"))
    var forms = WeightForm.allCases.map(\.rawValue).joined(separator: ",")

    @Option(help: ArgumentHelp("Only the first n questions, records and texts.", valueName: "n"))
    var limit: Int?

    @Option(help: ArgumentHelp("Longest answer in tokens.", valueName: "n"))
    var maxNewTokens = 8

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if questions == nil && records == nil && text == nil {
            throw ValidationError("Give what to measure with: --questions, --records or --text.")
        }
        if forms.allSatisfy({ $0 == "," }) { throw ValidationError("--forms names no form. Give some of its default.") }
        if images != nil, questions == nil, records == nil {
            throw ValidationError("--images goes with --questions or --records.")
        }
        if metric.contains(",") { throw ValidationError("--metric takes one name.") }
        if runtime.precision != nil { throw ValidationError("--precision follows from --forms here.") }
        try OptionRange.limit.check(limit, "--limit")
        try OptionRange.newTokens.check(maxNewTokens, "--max-new-tokens")
        _ = try chosen()
    }

    private func chosen() throws -> [WeightForm] {
        try forms.split(separator: ",").map { name in
            guard let form = WeightForm(rawValue: String(name)) else {
                throw ValidationError("--forms \(name) is no form. Give float32, bfloat16, q8 or q4.")
            }
            return form
        }
    }

    func run() throws {
        let metric = try MetricRegistry.metrics(named: metric).first
        try ImageReference.requireFolder(images)
        Interruption.listen()
        var rows = [
            ["weights", "MB"] + (text == nil ? [] : ["perplexity of text"])
                + (records == nil ? [] : ["perplexity of answers"])
                + (questions == nil ? [] : [self.metric, "95 % interval"])
        ]
        for form in try chosen() {
            if !json { Console.status("measuring \(form.rawValue)") }
            let bundle = try form.open(model, runtime)
            let bytes = bundle.model.parameters.entries.reduce(0) {
                $0 + $1.parameter.value.dtype.byteCount(of: $1.parameter.count)
            }
            var row = [form.rawValue, Formatting.decimal(Double(bytes) / 1e6, 1)]
            var object: JSONObject = ["weights": .string(form.rawValue), "weight_bytes": .int(bytes)]
            if let text {
                let score = try self.score(bundle, text: text)
                row.append(Formatting.decimal(score.perplexity, 3))
                object["text"] = score.json
            }
            if let records {
                let score = try self.score(bundle, records: records)
                row.append(Formatting.decimal(score.perplexity, 4))
                object["records"] = score.json
            }
            if let questions, let metric {
                let report = try MetricReport(metric, answers(bundle, questions))
                row.append(Formatting.decimal(100 * report.score, 2))
                row.append(
                    report.interval.map {
                        "\(Formatting.decimal(100 * $0.low, 2)) – \(Formatting.decimal(100 * $0.high, 2))"
                    } ?? "–")
                object["questions"] = report.json
            }
            rows.append(row)
            if json { Console.out(JSON.object(object).serialized()) }
        }
        if !json { Console.table(rows, to: Console.out) }
    }

    private struct Score {
        var loss: Double
        var tokens: Int
        var perplexity: Double { exp(loss / Double(max(1, tokens))) }
        var json: JSON {
            [
                "tokens": .int(tokens), "loss": .number(loss / Double(max(1, tokens))),
                "perplexity": .number(perplexity),
            ]
        }
    }

    private func score(_ bundle: ModelBundle, text: String) throws -> Score {
        let (loss, tokens) = TextScorer(bundle).score(Array(try TextLines.read(text).prefix(limit ?? .max)))
        return Score(loss: loss, tokens: tokens)
    }

    private func score(_ bundle: ModelBundle, records: String) throws -> Score {
        let scorer = try AnswerScorer(bundle, data: records, images: images)
        var score = Score(loss: 0, tokens: 0)
        let count = min(limit ?? .max, scorer.count)
        for start in stride(from: 0, to: count, by: 16) {
            try Interruption.check()
            for record in try scorer.scores(start..<min(start + 16, count)) {
                score.loss += record.losses.reduce(0) { $0 + Double($1) }
                score.tokens += record.losses.count
            }
        }
        return score
    }

    private func answers(_ bundle: ModelBundle, _ questions: String) throws -> [Prediction] {
        let items = Array(try QuestionFile.read(questions, images: images).prefix(limit ?? .max))
        let folder = try Files.makeTemporaryDirectory()
        defer { try? Files.remove(folder) }
        let file = Paths.join(folder, "predictions.jsonl")
        let options = try GenerationOptions.parse(["--batch", "64", "--max-new-tokens", String(maxNewTokens)])
        let outcome = try AnswerJob(bundle: bundle, options: options, output: file, field: "prediction", json: false)
            .run(items)
        try Interruption.check()
        guard outcome.failed + outcome.failedBefore == 0 else {
            throw UserError(
                "\((outcome.failed + outcome.failedBefore).counted("question")) could not be answered, so a score would be of other questions",
                fix: "correct what is named above, or leave those questions out")
        }
        return try Prediction.read(file)
    }
}

/// A form of weights by name, with the products that go with it.
enum WeightForm: String, CaseIterable {
    case float32, bfloat16, q8, q4

    /// Opens a folder of plain weights in this form.
    func open(_ folder: String, _ runtime: RuntimeOptions) throws -> ModelBundle {
        if let stored = try WeightStorage.ofFolder(folder) {
            throw UserError(
                "\(folder) holds \(stored.rawValue) weights already", fix: "name the model that it was made from")
        }
        var runtime = runtime
        runtime.precision = self == .float32 ? .float32 : .bfloat16
        let quantization = try QuantizeOptions.parse(self == .q8 || self == .q4 ? ["--quantize", rawValue] : [])
        return try quantization.open(folder, AdapterOptions.parse([]), runtime)
    }
}
