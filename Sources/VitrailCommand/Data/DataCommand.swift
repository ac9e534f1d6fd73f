import ArgumentParser
import Basics
import Imaging
import InstructionData
import Tokenization

/// `vitrail data`.
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Check, measure, make, recast, mix, clean and look at instruction data.",
        discussion: """
            EXAMPLES
              vitrail data validate data/shapes/train
              vitrail data filter mix.jsonl --output clean.jsonl --refusals --pictures
              vitrail data preview clean.jsonl --model Models/pebble --output look.html

            Every step reads records and writes records, complete or not at all.
            """,
        subcommands: [
            DataValidateCommand.self, DataStatsCommand.self, DataTemplateCommand.self, DataMixCommand.self,
            DataFilterCommand.self, DataDedupeCommand.self, DataPreviewCommand.self, DataGenerateCommand.self,
            DataShardCommand.self,
        ])
}

/// Which records a command reads.
struct DataOptions: ParsableArguments {
    @Argument(help: "LLaVA or OpenAI-messages JSON or JSONL; or a folder with records.jsonl.", completion: .file())
    var data: String

    @Option(help: ArgumentHelp("The folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Flag(help: "Repair what can be repaired, and count the repairs.")
    var lenient = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var threading: WorkerOptions

    var workers: Int { threading.workers }

    func open() throws -> InstructionDataset {
        if let images, !Files.isDirectory(images) {
            throw UserError("--images \(images): no such folder", fix: "name the folder of the pictures")
        }
        return try InstructionDataset(
            Self.file(data), options: .init(imageFolder: images, lenient: lenient), workers: workers)
    }

    /// The records' file; a folder has them in `records.jsonl`.
    static func file(_ data: String) -> String {
        Files.isDirectory(data) ? Paths.join(data, "records.jsonl") : data
    }
}

/// `vitrail data validate`.
struct DataValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Read every record and decode every picture; exit 1 when anything is wrong.",
        discussion: """
            EXAMPLES
              vitrail data validate data/shapes/train
              vitrail data validate mix.json --images images --no-pictures --json
            """)

    @OptionGroup var options: DataOptions

    @Flag(inversion: .prefixedNo, help: "Decode the pictures too.")
    var pictures = true

    @Option(help: ArgumentHelp("Faults that are told word for word.", valueName: "n"))
    var show = 20

    func validate() throws { try (0...1_000_000_000).check(show, "--show") }

    func run() throws {
        let dataset = try options.open()
        var validation = DatasetValidation()
        if pictures { validation.checkPicture = { _ = try ImageDecoder.decode($0, source: $1) } }
        validation.keptFaults = show
        var progress = ProgressLine("records")
        let report = try validation.run(dataset, workers: options.workers) {
            progress.show($0, of: dataset.count)
        }
        if options.json { Console.out(report.json.serialized()) } else { tell(report) }
        if report.faultCount > 0 { throw ExitCode(ExitStatus.failed) }
    }

    private func tell(_ report: DatasetValidation.Report) {
        for fault in report.first {
            Console.out("\(report.path):\(fault.line): \(fault.reason)")
            if let fix = fault.fix { Console.out("    fix: \(fix)") }
        }
        if report.faultCount > report.first.count {
            Console.out("… and \(Formatting.count(report.faultCount - report.first.count)) more")
        }
        if !report.kinds.isEmpty {
            let kinds = report.kinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            Console.table([["fault", "times"]] + kinds.map { [$0.key, Formatting.count($0.value)] }, to: Console.out)
        }
        for (repair, count) in report.repairs.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            Console.out("\(Formatting.count(count)) × \(repair.rawValue)")
        }
        let pictures = self.pictures ? ", \(Formatting.count(report.pictures)) pictures" : ""
        Console.out(
            "\(Formatting.count(report.records)) records\(pictures): "
                + (report.faultCount == 0 ? "sound" : "\(Formatting.count(report.faultCount)) faults"))
    }
}

/// `vitrail data stats`.
struct DataStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Count turns, lengths, answers, pictures and repetitions.",
        discussion: """
            EXAMPLES
              vitrail data stats data/shapes/train
              vitrail data stats mix.json --model Models/pebble     lengths in the model's tokens too
              vitrail data stats mix.json --plots plots/            each spread as an SVG file
            """)

    @OptionGroup var options: DataOptions

    @Option(help: ArgumentHelp("A model's or tokenizer's folder, to count tokens.", valueName: "folder"))
    var model: String?

    @Option(help: ArgumentHelp("Write a plot of each spread into this folder, as SVG.", valueName: "folder"))
    var plots: String?

    func run() throws {
        let dataset = try options.open()
        let tokenizer = try model.map { try Tokenizer(folder: $0) }
        var progress = ProgressLine("records")
        let statistics = try DatasetStatistics(
            dataset, workers: options.workers,
            countTokens: tokenizer.map { tokenizer in { @Sendable text in tokenizer.encode(text).count } }
        ) { progress.show($0, of: dataset.count) }
        if let plots {
            let names = try statistics.writePlots(to: plots)
            Console.error("\(names.count) plots: \(plots)")
        }
        if options.json { return Console.out(statistics.json.serialized()) }
        var rows = [["", "mean", "median", "95 %", "most"]]
        for quantity in DatasetStatistics.Quantity.allCases {
            guard let spread = statistics.spread(of: quantity) else { continue }
            let whole = [spread.median, spread.high, spread.maximum].map { Formatting.count($0) }
            rows.append([quantity.rawValue, Formatting.decimal(spread.mean, 1)] + whole)
        }
        Console.out(
            "\(Formatting.count(statistics.records)) records, \(Formatting.count(statistics.broken)) broken, "
                + "\(Formatting.count(statistics.repeated)) repeated; "
                + "\(Formatting.count(statistics.pictures)) different pictures, "
                + "\(Formatting.count(statistics.brokenPictures)) that can't be read")
        Console.table(rows, to: Console.out)
        list("answers", statistics.answers)
        list("questions", statistics.questions)
        list("words", statistics.words)
        if !statistics.sources.isEmpty { list("sources", statistics.sources) }
    }

    private func list(_ name: String, _ counted: [String: Int]) {
        let top = DatasetStatistics.top(counted, 10).map { [String($0.text.prefix(72)), Formatting.count($0.count)] }
        Console.table([["\(Formatting.count(counted.count)) different \(name)", "times"]] + top, to: Console.out)
    }
}
