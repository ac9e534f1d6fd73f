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

    func validate() throws {
        try OptionRange.limit.check(maxExchanges, "--max-exchanges")
        try OptionRange.limit.check(maxRepeats, "--max-repeats")
        try OptionRange.limit.check(maxEqualAnswers, "--max-equal-answers")
        try OptionRange.limit.check(againstWords, "--against-words")
        try OptionRange.limit.check(minSide, "--min-side")
        try (0...16).check(againstPictures, "--against-pictures")
        try (0...1.0).check(scriptShare, "--script-share")
        try (1...1e9).check(maxAspect, "--max-aspect")
        if against == nil, againstPictures != nil || againstImages != nil {
            throw ValidationError("--against-pictures and --against-images go with --against.")
        }
    }

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
        rules.evaluation = try against.map {
            try EvaluationOverlap(
                $0, images: againstImages, runLength: againstWords, pictureDistance: againstPictures,
                workers: options.workers)
        }
        if !rules.hasAny {
            Console.error("No rule is given, so nothing is taken out; vitrail data filter --help lists them.")
        }
        var filter = DatasetFilter(rules)
        filter.shard = try shard.map { try Conversion.Shard($0) }
        filter.resumeKey = RunKey.make(of: [options.data, refusalList, blocked, against])
        let dataset = try options.open()
        let report = try ProgressLine.running("record") { show in
            try filter.run(dataset, to: output, workers: options.workers) { try show($0, dataset.count) }
        }
        CleaningTable.tell(report, json: options.json)
    }

    private func lines(of path: String?) throws -> [String] {
        guard let path else { return [] }
        let lines = try Files.readLines(path).map(\.text).filter { !$0.hasPrefix("#") }
        guard !lines.isEmpty else { throw UserError("\(path) names nothing", fix: "write a word or phrase a line") }
        return lines
    }
}

/// Ranges as `3...40`.
enum CommandRange {
    static func read(_ text: String, option: String) throws(UserError) -> ClosedRange<Int> {
        let ends = text.split(separator: "...", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let low = ends[0], let high = ends[1], low <= high, low >= 0 else {
            throw UserError("\(option) \(text) is no range", fix: "write \(option) 1...100")
        }
        return low...high
    }
}

extension CleaningRules {
    /// Whether anything at all can be taken out.
    fileprivate var hasAny: Bool {
        let bounds: [Any?] = [
            questionWords, answerWords, maximumExchanges, maximumRepeats, maximumEqualAnswers, minimumSide,
            maximumAspect, evaluation,
        ]
        return bounds.contains { $0 != nil } || !scripts.isEmpty || !refusals.isEmpty || !blocked.isEmpty
            || forbidsLeaks
            || decodesPictures
    }
}
