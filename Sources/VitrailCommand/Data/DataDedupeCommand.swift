import ArgumentParser
import Basics
import InstructionData

/// `vitrail data dedupe`.
struct DataDedupeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dedupe",
        abstract: "Take out records that repeat earlier ones; each removal names the record that it repeats.",
        discussion: """
            Equal texts about the same pictures always go. Texts are compared only between records with the same
            pictures, since one question may be asked of many; --ignore-pictures compares all.

            Which of two alike records stays depends on all records before, so one run decides. What takes the time, to
            sign records and look at pictures, is done in parts: --signatures names a folder that all machines see, and
            --shard i/n signs a part into it. The run without --shard takes what is there and signs the rest, with the
            same result; when it is killed, it goes on with what was signed.

            EXAMPLES
              vitrail data dedupe mix.jsonl --output unique.jsonl --near 0.8
              vitrail data dedupe photos.jsonl --output unique.jsonl --pictures 6 --remove-pictures
              vitrail data dedupe generated.jsonl --output new.jsonl --novelty 0.7
              vitrail data dedupe mix.jsonl --near 0.8 --pictures 6 --signatures sig --shard 3/8   # on eight machines
              vitrail data dedupe mix.jsonl --near 0.8 --pictures 6 --signatures sig --output unique.jsonl
            """)

    @OptionGroup var options: DataOptions

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file to write (default: count only).", valueName: "file.jsonl"))
    var output: String?

    @Option(
        help: ArgumentHelp("Share of word triples in common from which texts are alike, 0.3 to 1.", valueName: "share"))
    var near: Double?

    @Option(
        help: ArgumentHelp("Look at pictures; bits of 64 by which alike ones may differ, 0 to 16.", valueName: "bits"))
    var pictures: Int?

    @Flag(help: "Take out records whose picture looks like an earlier one.")
    var removePictures = false

    @Option(
        help: ArgumentHelp("ROUGE-L above which a first question is not new (Self-Instruct: 0.7).", valueName: "share"))
    var novelty: Double?

    @Flag(help: "Compare texts whatever their pictures.")
    var ignorePictures = false

    @Option(help: ArgumentHelp("Where signatures are kept, for --shard and for going on.", valueName: "folder"))
    var signatures: String?

    @Option(
        help: ArgumentHelp("Only sign part i of n, so that several machines share the work.", valueName: "i/n"))
    var shard: String?

    func run() throws {
        var deduplication = DatasetDeduplication()
        if let near, !(0.3...1).contains(near) {
            throw UserError("--near \(near) is out of range", fix: "give 0.3 to 1, usually 0.7 to 0.9")
        }
        if let pictures, !(0...16).contains(pictures) {
            throw UserError("--pictures \(pictures) is out of range", fix: "give 0 to 16, usually 4 to 8")
        }
        if let novelty, !(0...1).contains(novelty) {
            throw UserError("--novelty \(novelty) is out of range", fix: "give 0 to 1, as 0.7")
        }
        if removePictures, pictures == nil {
            throw UserError("--remove-pictures needs to know what counts as alike", fix: "pass --pictures 6 too")
        }
        deduplication.threshold = near
        deduplication.pictureDistance = pictures
        deduplication.removesPictures = removePictures
        deduplication.novelty = novelty
        deduplication.ignoresPictures = ignorePictures
        deduplication.signatures = signatures
        let dataset = try options.open()
        if let shard {
            guard signatures != nil else {
                throw UserError(
                    "one run must decide which records stay; --shard signs a part for it",
                    fix: "pass --signatures FOLDER too, and run without --shard in the end")
            }
            let part = try Conversion.Shard(shard)
            let (made, there) = try ProgressLine.running("record") { show in
                try deduplication.sign(dataset, shard: part, workers: options.workers) { try show($0, dataset.count) }
            }
            if options.json {
                return Console.out(JSON.object(["made": .int(made), "there": .int(there)]).serialized())
            }
            return Console.error("\(made.counted("signature file")) made, \(there) found there")
        }
        let report = try ProgressLine.running("record") { show in
            try deduplication.run(dataset, to: output, workers: options.workers) { try show($0, dataset.count) }
        }
        CleaningTable.tell(report, json: options.json)
    }
}
