import ArgumentParser
import Basics
import InstructionData
import Tokenization

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
        // Before the work, which would be lost where no folder can be made.
        var folder = try plots.map { try AtomicFiles(in: $0) }
        let tokenizer = try model.map { try Tokenizer(folder: $0) }
        let statistics = try ProgressLine.running("record") { show in
            try DatasetStatistics(
                dataset, workers: options.workers,
                countTokens: tokenizer.map { tokenizer in { @Sendable text in tokenizer.encode(text).count } }
            ) { try show($0, dataset.count) }
        }
        if let plots, var files = folder.take() {
            let count = try statistics.writePlots(to: &files)
            try files.commit()
            Console.error("\(count.counted("plot")): \(plots)")
        }
        if options.json { return Console.out(statistics.json.serialized()) }
        var rows = [["", "mean", "median", "95 %", "most"]]
        for quantity in DatasetStatistics.Quantity.allCases {
            guard let spread = statistics.spread(of: quantity) else { continue }
            let whole = [spread.median, spread.high, spread.maximum].map { Formatting.count($0) }
            rows.append([quantity.rawValue, Formatting.decimal(spread.mean, 1)] + whole)
        }
        Console.out(
            "\(statistics.records.counted("record")), \(Formatting.count(statistics.broken)) broken, "
                + "\(Formatting.count(statistics.repeated)) repeated; "
                + "\(statistics.pictures.counted("different picture")), "
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
