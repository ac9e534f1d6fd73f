import ArgumentParser
import Basics
import Evaluation
import InstructionData
import VisionLanguage

/// `vitrail evaluate`.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure a model's answers, or answers made elsewhere.",
        discussion: """
            EXAMPLES
              vitrail evaluate runs/pebble/final --data data/shapes/test/questions.jsonl --metrics exact
              vitrail evaluate runs/pebble/final --data test.jsonl --metrics exact,vqa --shuffle-images 1
              vitrail evaluate --predictions answers.jsonl --metrics vqa --json

            --shuffle-images gives every question another picture: what is left of the score comes from the text alone.
            Each line of --output says in made_by which model, question and settings made it; a call in which one of them differs
            does not go on with the file.
            """)

    @Argument(help: "Model folder.", completion: .directory)
    var model: String?

    @Option(help: ArgumentHelp("Questions with answers as JSONL.", valueName: "file"))
    var data: String?

    @Option(help: ArgumentHelp("Folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Option(
        help: ArgumentHelp("Answers made elsewhere: JSONL with \"prediction\" and \"references\".", valueName: "file"))
    var predictions: String?

    @Option(
        help: ArgumentHelp(
            "Metrics, separated by commas: \(MetricRegistry.all.map(\.name).joined(separator: ", ")).",
            valueName: "names"))
    var metrics = "exact"

    @Option(
        help: ArgumentHelp("Raw predictions go to this JSONL file; a second call goes on with it.", valueName: "file"))
    var output: String?

    @Option(
        help: ArgumentHelp("Give each question another question's picture, drawn from this seed.", valueName: "seed"))
    var shuffleImages: UInt64?

    @Option(help: ArgumentHelp("Only the first n questions.", valueName: "n"))
    var limit: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var adapters: AdapterOptions
    @OptionGroup var generation: GenerationOptions
    @OptionGroup var quantization: QuantizeOptions
    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if (model == nil) == (predictions == nil) { throw ValidationError("Give either a model, or --predictions.") }
        if model != nil && data == nil { throw ValidationError("--data is missing: the questions to ask the model.") }
        if predictions != nil {
            let given = [
                ("--data", data != nil), ("--images", images != nil), ("--output", output != nil),
                ("--limit", limit != nil), ("--shuffle-images", shuffleImages != nil),
                ("--adapter", !adapters.adapter.isEmpty),
            ]
            if let (name, _) = given.first(where: { $0.1 }) {
                throw ValidationError("\(name) goes with a model; --predictions are measured as they are.")
            }
        }
        try OptionRange.limit.check(limit, "--limit")
    }

    func run() throws {
        let metrics = try MetricRegistry.metrics(named: metrics)
        let start = ContinuousClock.now
        try Files.requireOther([output], than: [data, predictions])
        let answers = try predictions.map { try Prediction.read($0) } ?? predict()
        let reports = try metrics.map { try MetricReport($0, answers) }
        if json {
            var object: JSONObject = ["count": .int(answers.count), "metrics": .array(reports.map(\.json))]
            if let model { object["model"] = .string(model) }
            if let data { object["data"] = .string(data) }
            if let shuffleImages { object["shuffled_images"] = .string(String(shuffleImages)) }
            object["seconds"] = .number((ContinuousClock.now - start) / .seconds(1))
            Console.out(JSON.object(object).serialized())
        } else {
            MetricTable.show(reports)
        }
    }

    private func predict() throws -> [Prediction] {
        try ImageReference.requireFolder(images)
        var items = try QuestionFile.read(data!, images: images)
        if let limit { items = Array(items.prefix(limit)) }
        if let item = items.first(where: { $0.references.isEmpty }) {
            throw UserError(
                "\(data!): the question \(item.id) has no \"answers\" to measure by",
                fix: "add what is right: {\"image\": …, \"question\": …, \"answers\": [\"red\"]}")
        }
        if let seed = shuffleImages { items = try AnswerMetrics.shuffled(items, seed: seed) }
        let (bundle, changes) = try quantization.openSwitching(model!, adapters, runtime)
        Interruption.listen()
        let folder = output == nil ? try Files.makeTemporaryDirectory() : nil
        defer { if let folder { try? Files.remove(folder) } }
        let file = output ?? Paths.join(folder!, "predictions.jsonl")
        var options = generation
        options.batch = options.batch ?? 64
        let mark = try output.map { _ in
            AnswerMark(try AnswerMark.models(in: model!, adapters), bundle, options, quantization)
        }
        let job = AnswerJob(
            bundle: bundle, options: options, output: file, field: "prediction", json: false, mark: mark,
            adapters: changes)
        let outcome = try job.run(items)
        if Interruption.isRequested { throw RunStopped(goesOn: output != nil) }
        guard outcome.failed + outcome.failedBefore == 0 else {
            throw UserError(
                "\((outcome.failed + outcome.failedBefore).counted("question")) could not be answered, so a score would be of other questions",
                fix: output.map {
                    "correct what is named above, or leave those questions out; lines of \($0) with an \"error\" have to be deleted"
                } ?? "correct what is named above, or leave those questions out")
        }
        return Self.paired(try AnswerMetrics.answered(file), with: items)
    }

    /// The predictions of these questions, with the right answers and kinds that the questions have now.
    private static func paired(_ predictions: [Prediction], with items: [AnswerItem]) -> [Prediction] {
        var waiting = Dictionary(grouping: items.reversed(), by: \.id)
        return predictions.compactMap { prediction in
            guard let item = waiting[prediction.id]?.popLast() else { return nil }
            var prediction = prediction
            (prediction.references, prediction.kind) = (item.references, item.kind)
            return prediction
        }
    }
}

/// Scores as a table.
enum MetricTable {
    static func show(_ reports: [MetricReport]) {
        var rows = [["metric", "score", "95 % interval", "count"]]
        for report in reports {
            let interval = report.interval.map {
                "\(Formatting.decimal(100 * $0.low, 2)) – \(Formatting.decimal(100 * $0.high, 2))"
            }
            rows.append([
                report.metric, Formatting.decimal(100 * report.score, 2), interval ?? "–",
                Formatting.count(report.count),
            ])
            for kind in report.kinds {
                rows.append([
                    "  " + kind.name, Formatting.decimal(100 * kind.score, 2), "", Formatting.count(kind.count),
                ])
            }
        }
        Console.table(rows, to: Console.out)
    }
}
