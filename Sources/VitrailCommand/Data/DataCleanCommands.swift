import ArgumentParser
import Basics
import InstructionData

/// `vitrail data filter`.
struct DataFilterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filter",
        abstract: "Take out what breaks rules; each removal stands with its reason in <output>.removed.jsonl.",
        discussion: """
            Rules about texts take out single exchanges, and a record when none is left; rules about pictures take out
            records. Only the rules that are named are applied.

            EXAMPLES
              vitrail data filter mix.jsonl --output clean.jsonl --refusals --answer-words 1...400 --max-repeats 3
              vitrail data filter mix.jsonl --output clean.jsonl --scripts latin --blocked words.txt --min-side 64
              vitrail data filter mix.jsonl --output clean.jsonl --against test.jsonl --against-pictures 6
            """)

    @OptionGroup var options: DataOptions

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file to write (default: count only).", valueName: "file.jsonl"))
    var output: String?

    @Option(help: ArgumentHelp("Words a question may have.", valueName: "low...high"))
    var questionWords: String?

    @Option(help: ArgumentHelp("Words an answer may have.", valueName: "low...high"))
    var answerWords: String?

    @Option(help: ArgumentHelp("Most exchanges of a record.", valueName: "n"))
    var maxExchanges: Int?

    @Option(help: ArgumentHelp("Scripts that texts may be in, as latin,greek.", valueName: "list"))
    var scripts: String?

    @Option(help: ArgumentHelp("Share of letters that must be in these scripts, 0 to 1.", valueName: "share"))
    var scriptShare = 0.9

    @Option(help: ArgumentHelp("How often four words may stand in one answer.", valueName: "n"))
    var maxRepeats: Int?

    @Option(help: ArgumentHelp("How often one answer of over 3 words may stand in a record.", valueName: "n"))
    var maxEqualAnswers: Int?

    @Flag(help: "Take out answers that refuse (\"I'm sorry\", \"As an AI\", …).")
    var refusals = false

    @Option(help: ArgumentHelp("Further beginnings of refusals, a line each.", valueName: "file"))
    var refusalList: String?

    @Option(help: ArgumentHelp("Words and phrases that no text may hold, a line each.", valueName: "file"))
    var blocked: String?

    @Flag(help: "Take out exchanges whose question holds the answer.")
    var leaks = false

    @Option(help: ArgumentHelp("Least side of a picture.", valueName: "pixels"))
    var minSide: Int?

    @Option(help: ArgumentHelp("Most that one side of a picture may be of the other.", valueName: "ratio"))
    var maxAspect: Double?

    @Flag(help: "Take out records with pictures that do not decode.")
    var pictures = false

    @Option(help: ArgumentHelp("An evaluation set to keep out: questions or records.", valueName: "file.jsonl"))
    var against: String?

    @Option(help: ArgumentHelp("Words in a row that may not stand in it too.", valueName: "n"))
    var againstWords = 13

    @Option(
        help: ArgumentHelp("Compare pictures too; bits of 64 by which alike ones may differ, 0 to 16.", valueName: "n"))
    var againstPictures: Int?

    @Option(help: ArgumentHelp("The folder of its pictures.", valueName: "folder"))
    var againstImages: String?

    @Option(help: ArgumentHelp("Only part i of n, so that several machines share the work.", valueName: "i/n"))
    var shard: String?

    func run() throws {
        var rules = CleaningRules()
        rules.questionWords = try questionWords.map { try CommandRange.read($0, option: "--question-words") }
        rules.answerWords = try answerWords.map { try CommandRange.read($0, option: "--answer-words") }
        rules.maximumExchanges = maxExchanges
        rules.scripts = try scripts.map { try Script.list($0) } ?? []
        rules.scriptShare = scriptShare
        rules.maximumRepeats = maxRepeats
        rules.maximumEqualAnswers = maxEqualAnswers
        rules.refusals = refusals ? CleaningRules.commonRefusals : []
        rules.refusals += try lines(of: refusalList).map { $0.lowercased() }
        rules.blocked = try lines(of: blocked)
        rules.forbidsLeaks = leaks
        rules.minimumSide = minSide
        rules.maximumAspect = maxAspect
        rules.decodesPictures = pictures
        if let distance = againstPictures, !(0...16).contains(distance) {
            throw UserError("--against-pictures \(distance) is out of range", fix: "give 0 to 16")
        }
        rules.evaluation = try against.map {
            try EvaluationOverlap(
                $0, images: againstImages, runLength: max(1, againstWords), pictureDistance: againstPictures,
                workers: options.workers)
        }
        guard (0...1).contains(scriptShare) else {
            throw UserError("--script-share \(scriptShare) is out of range", fix: "give 0 to 1")
        }
        if let maxAspect, !(maxAspect >= 1) {
            throw UserError("--max-aspect \(maxAspect) is out of range", fix: "give 1 or more, as 3 for three to one")
        }
        if let minSide, minSide < 1 { throw UserError("--min-side \(minSide) is out of range", fix: "give 1 or more") }
        var filter = DatasetFilter(rules)
        filter.shard = try shard.map { try Conversion.Shard($0) }
        filter.resumeKey = RunKey.make(of: [options.data, refusalList, blocked, against])
        let dataset = try options.open()
        var progress = ProgressLine("records")
        let report = try filter.run(dataset, to: output, workers: options.workers) {
            progress.show($0, of: dataset.count)
        }
        CleaningTable.tell(report, json: options.json)
    }

    private func lines(of path: String?) throws -> [String] {
        guard let path else { return [] }
        let lines = try Files.readText(path).split(whereSeparator: \.isNewline).map { String($0) }
            .filter { !$0.allSatisfy(\.isWhitespace) && !$0.hasPrefix("#") }
        guard !lines.isEmpty else { throw UserError("\(path) names nothing", fix: "write a word or phrase a line") }
        return lines
    }
}

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
        var progress = ProgressLine("records")
        if let shard {
            guard signatures != nil else {
                throw UserError(
                    "one run must decide which records stay; --shard signs a part for it",
                    fix: "pass --signatures FOLDER too, and run without --shard in the end")
            }
            let (made, there) = try deduplication.sign(
                dataset, shard: try Conversion.Shard(shard), workers: options.workers
            ) { progress.show($0, of: dataset.count) }
            if options.json {
                return Console.out(JSON.object(["made": .int(made), "there": .int(there)]).serialized())
            }
            return Console.error("\(made) files of signatures made, \(there) were there")
        }
        let report = try deduplication.run(dataset, to: output, workers: options.workers) {
            progress.show($0, of: dataset.count)
        }
        CleaningTable.tell(report, json: options.json)
    }
}

/// Ranges as `3...40`.
enum CommandRange {
    static func read(_ text: String, option: String) throws(UserError) -> ClosedRange<Int> {
        let ends = text.split(separator: ".", omittingEmptySubsequences: true).map { Int($0) }
        guard ends.count == 2, let low = ends[0], let high = ends[1], low <= high, low >= 0 else {
            throw UserError("\(option) \(text) is no range", fix: "write \(option) 1...100")
        }
        return low...high
    }
}

/// What a cleaning did, as a table.
enum CleaningTable {
    static func tell(_ report: CleaningReport, json: Bool) {
        if json { return Console.out(report.json.serialized()) }
        let rules = report.removed.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !rules.isEmpty {
            Console.table([["rule", "removed"]] + rules.map { [$0.key, Formatting.count($0.value)] }, to: Console.out)
        }
        let share = Formatting.decimal(100 * Double(report.kept) / Double(max(1, report.records)), 1)
        Console.out(
            "\(Formatting.count(report.kept)) of \(Formatting.count(report.records)) records kept (\(share) %)"
                + (report.exchanges > 0 ? ", \(Formatting.count(report.exchanges)) exchanges taken out of them" : ""))
    }
}
