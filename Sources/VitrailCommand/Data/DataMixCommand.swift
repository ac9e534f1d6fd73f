import ArgumentParser
import Basics
import InstructionData

/// `vitrail data mix`.
struct DataMixCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mix",
        abstract: "Mix data sets into one file: by weights, in proportion with a cap, or by temperature.",
        discussion: """
            A data set is FILE, FILE@SELECTION or FILE@SELECTION@WEIGHT, with a selection all, first:1000, last:10% or
            random:25%. What was mixed stands in <output>.mixture.json, and each record names its source. Recipes mix
            the same way while they train; a file is for other trainers, and to look at.

            RULES
              weights               each record as often as its weight says (1 unless given; the other rules take none)
              proportional:CAP      each data set whole, but at most CAP records (Flan)
              temperature:T[:CAP]   shares in proportion to min(records, CAP)^(1/T) (T5, mT5)

            EXAMPLES
              vitrail data mix vqa.jsonl captions.jsonl --rule proportional:30000 --output mix.jsonl
              vitrail data mix vqa.jsonl@random:50% chat.jsonl@all@2 --output mix.jsonl --seed 3
            """)

    @Argument(help: "Data sets, as FILE@SELECTION@WEIGHT.", completion: .file())
    var data: [String]

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file.jsonl"))
    var output: String

    @Option(help: ArgumentHelp("weights, proportional:CAP or temperature:T[:CAP].", valueName: "rule"))
    var rule = "weights"

    @Option(help: ArgumentHelp("Seed of selections and order.", valueName: "s"))
    var seed: UInt64 = 17

    @Option(help: ArgumentHelp("The folder that all picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Flag(inversion: .prefixedNo, help: "Shuffle the records.")
    var shuffle = true

    @Flag(help: "Repair what can be repaired.")
    var lenient = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var threading: WorkerOptions

    func run() throws {
        try ImageReference.requireFolder(images)
        var mixing = DatasetMixing(try data.map(source), rule: try Mixture.Rule(rule), seed: seed)
        mixing.shuffles = shuffle
        mixing.images = images
        mixing.lenient = lenient
        let report = try ProgressLine.running("record") { show in
            try mixing.run(to: output, workers: threading.workers) { try show($0, nil) }
        }
        if json { return Console.out(report.json.serialized()) }
        let total = max(1, report.shares.reduce(0) { $0 + $1.written })
        Console.table(
            [["data", "records", "written", "share"]]
                + report.shares.map { share in
                    let percent = Formatting.decimal(100 * Double(share.written) / Double(total), 1) + " %"
                    return [share.path, Formatting.count(share.records), Formatting.count(share.written), percent]
                })
    }

    private func source(_ text: String) throws -> DatasetMixing.Source {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false).map { String($0) }
        guard parts.count <= 3 else {
            throw UserError("\"\(text)\" has too many parts", fix: "write FILE@SELECTION@WEIGHT")
        }
        var source = DatasetMixing.Source(path: parts[0])
        if parts.count > 1 { source.selection = try Selection(parts[1]) }
        if parts.count > 2 {
            guard let weight = Double(parts[2]) else {
                throw UserError("\"\(parts[2])\" is no weight", fix: "write FILE@SELECTION@WEIGHT, as a.jsonl@all@2")
            }
            source.weight = weight
        }
        return source
    }
}
