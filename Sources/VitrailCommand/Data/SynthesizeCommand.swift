import ArgumentParser
import Basics
import InstructionData

/// `vitrail synthesize`.
struct SynthesizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synthesize",
        abstract: "Draw a picture set of shapes with captions, questions and conversations: the same bytes for a seed.",
        discussion: """
            Writes a folder a split (train, val, test, and novel with combinations that training never shows), each with
            images/, records.jsonl (conversations), captions.jsonl, statements.jsonl, questions.jsonl and describe.jsonl
            (evaluation); train also has corpus.txt, plain text for the language model. See Datasets/shapes/README.md.

            EXAMPLES
              vitrail synthesize data/shapes --count 2000
              vitrail synthesize data/single --shapes 1 --count 12000
              vitrail synthesize data/large --count 20000 --size 96 --seed 7
              vitrail synthesize data/only-test --split test=500
            """)

    @Argument(help: "The folder to make.", completion: .directory)
    var output: String

    @Option(
        help: ArgumentHelp(
            "Training pictures (default: 2000); each other split has a tenth, at least 50.", valueName: "n"))
    var count: Int?

    @Option(help: ArgumentHelp("Seed of every choice.", valueName: "s"))
    var seed: UInt64 = 17

    @Option(help: ArgumentHelp("Side of the pictures in pixels, 32 to 1024.", valueName: "pixels"))
    var size = 64

    @Option(help: ArgumentHelp("Most shapes a picture has, 1 to 4.", valueName: "n"))
    var shapes = 4

    @Option(help: ArgumentHelp("Make only these splits, as train=1000,test=100.", valueName: "list"))
    var split: String?

    @Option(help: ArgumentHelp("Lines of corpus.txt (default: four a training picture).", valueName: "n"))
    var corpusLines: Int?

    @Flag(help: "Replace the folder if it is there.")
    var force = false

    @Flag(help: "Print the manifest as JSON.")
    var json = false

    @OptionGroup var threading: WorkerOptions

    func validate() throws {
        if count != nil, split != nil {
            throw ValidationError("--count and --split both say how many pictures are drawn. Keep one.")
        }
        try (1...10_000_000).check(count, "--count")
        try (0...1_000_000_000).check(corpusLines, "--corpus-lines")
    }

    func run() throws {
        try Files.requireName(output)
        if force { try Replacement.check(output, holding: ["manifest.json"]) }
        if Files.exists(output), !force {
            guard Files.exists(Paths.join(output, "manifest.json")) || Files.isDirectory(output) == false else {
                throw UserError(
                    "\(output) is there already and was not made by this command", fix: "name another folder")
            }
            throw UserError("\(output) is there already", fix: "pass --force to make it again, or name another folder")
        }
        var world = ShapeWorld(count: count ?? 2_000, seed: seed, side: size)
        world.mostShapes = shapes
        if let split { world.counts = try counts(split) }
        if let corpusLines {
            guard world.counts[.train] != nil else {
                throw UserError(
                    "--corpus-lines: corpus.txt goes with the split train, which is not drawn",
                    fix: "name train in --split too, or leave --corpus-lines out")
            }
            world.corpusLines = corpusLines
        }
        try world.validate()
        let total = world.counts.values.reduce(0, +)
        let start = ContinuousClock.now
        let manifest = try ProgressLine.running("picture") { show in
            try world.write(to: output, workers: threading.workers) { try show($0, total) }
        }
        if json { return Console.out(manifest.serialized()) }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        Console.error(
            "\(total.counted("picture")) in \(Formatting.duration(seconds)) "
                + "(\(Formatting.count(Double(total) / max(seconds, 1e-9))) a second): \(output)")
    }

    private func counts(_ list: String) throws -> [ShapeWorld.Split: Int] {
        var counts: [ShapeWorld.Split: Int] = [:]
        for part in list.split(separator: ",") {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            let names = ShapeWorld.Split.allCases.map(\.rawValue)
            guard let split = ShapeWorld.Split(rawValue: String(pair[0])) else {
                throw UserError(
                    "--split: no split is called \"\(pair[0])\""
                        + Suggestion.phrase(for: String(pair[0]), among: names),
                    fix: "splits: \(names.joined(separator: ", "))")
            }
            guard pair.count == 2, let number = Int(pair[1]) else {
                throw UserError("--split: \"\(part)\" has no number", fix: "write \(pair[0])=500")
            }
            if counts.updateValue(number, forKey: split) != nil {
                throw UserError("--split names \(split.rawValue) twice", fix: "keep one")
            }
        }
        guard !counts.isEmpty else { throw UserError("--split names no split", fix: "write train=1000,test=100") }
        return counts
    }
}
