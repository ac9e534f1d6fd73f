import ArgumentParser
import Basics
import InstructionData
import Training
import VisionLanguage

/// `vitrail pet`.
struct PatternCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pet",
        abstract: "Pattern-exploiting training: learn labels from a few labelled pictures and many without.",
        discussion: """
            EXAMPLES
              vitrail pet lessons plan.json labelled.jsonl --output lessons      a file a pattern; train a model on each
              vitrail pet label plan.json pictures.jsonl --model runs/what/final --model runs/is/final --output soft.jsonl
              vitrail pet distil plan.json soft.jsonl --output last.jsonl       train the last model on it

            plan.json: {"patterns": {"what": {"text": "What shape is it?", "verbalizer": {"circle": "a circle", …}}, …}}
            Pictures are lines of {"image": …, "label": …}, paths relative to their file. Scripts/pattern-exploiting.sh shows it all.
            """,
        subcommands: [PatternLessonsCommand.self, PatternLabelCommand.self, PatternDistilCommand.self])
}

/// `vitrail pet lessons`.
struct PatternLessonsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lessons", abstract: "Write labelled pictures as conversations, a file a pattern.",
        discussion: """
            EXAMPLES
              vitrail pet lessons plan.json labelled.jsonl --output lessons
            """)

    @Argument(help: "Patterns and verbalizers, JSON.", completion: .file(extensions: ["json"]))
    var plan: String

    @Argument(help: "Labelled pictures, JSON lines.", completion: .file(extensions: ["jsonl"]))
    var pictures: String

    @Option(help: ArgumentHelp("Where <pattern>.jsonl goes (default: beside the pictures).", valueName: "folder"))
    var output: String?

    @Flag(help: "Print one JSON object: conversations, by the file that holds them.")
    var json = false

    func run() throws {
        let plan = try PatternPlan(plan)
        let method = PatternExploiting(plan)
        let known = try LabelledPicture.read(pictures, plan: plan)
        var files = JSONObject()
        let folder = output ?? Paths.parent(pictures)
        try Files.requireOther(
            plan.patterns.map { Paths.join(folder, "\($0.name).jsonl") }, than: [self.plan, pictures])
        var written = try AtomicFiles(in: folder)
        for pattern in plan.patterns {
            let name = "\(pattern.name).jsonl"
            let lines = try method.lessons(known, pattern).map { $0.serialized() + "\n" }
            try written.write(lines.joined(), to: name)
            files[Paths.join(folder, name)] = .int(lines.count)
        }
        try written.commit()
        if !json { for (file, _) in files { Console.out(file) } }
        if json { Console.out(JSON.object(["files": .object(files)]).serialized()) }
        PatternCommand.tellImages(pictures, folder)
    }
}

/// `vitrail pet label`.
struct PatternLabelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "label", abstract: "Say how probable each label is for each picture, by several models together.",
        discussion: """
            EXAMPLES
              vitrail pet label plan.json pictures.jsonl --model runs/what/final --model runs/is/final --output soft.jsonl
              vitrail pet label plan.json test.jsonl --model runs/last/final --json      pictures with labels: accuracy as well
            """)

    @Argument(help: "Patterns and verbalizers, JSON.", completion: .file(extensions: ["json"]))
    var plan: String

    @Argument(help: "Pictures, JSON lines.", completion: .file(extensions: ["jsonl"]))
    var pictures: String

    @Option(help: ArgumentHelp("Model: one a pattern in their order, or one for all.", valueName: "folder"))
    var model: [String] = []

    @Option(help: ArgumentHelp("Where the pictures go with their probabilities.", valueName: "file.jsonl"))
    var output: String?

    @Option(help: ArgumentHelp("Divides log p: above 1 keeps the models from being too sure.", valueName: "t"))
    var temperature = 2.0

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if model.isEmpty { throw ValidationError("--model is missing: the models that learned the patterns.") }
        guard temperature > 0, temperature.isFinite else { throw ValidationError("--temperature must be above 0.") }
    }

    func run() throws {
        try Files.requireOther([output], than: [plan, pictures])
        let plan = try PatternPlan(plan)
        guard model.count == 1 || model.count == plan.patterns.count else {
            throw UserError(
                "\(model.count.counted("model")) for \(plan.patterns.count.counted("pattern"))",
                fix: "give one --model a pattern, or one for all")
        }
        let method = PatternExploiting(plan)
        let known = try LabelledPicture.read(pictures, plan: plan)
        let images = Paths.parent(pictures)
        for picture in known {
            guard case .file(let path) = ImageReference(picture.image).resolved(under: images), !Files.exists(path)
            else {
                continue
            }
            throw UserError(
                "\(pictures): picture \(path) of \"\(picture.id)\" is not there",
                fix: "paths are relative to the folder of that file")
        }
        guard output != nil || known.contains(where: { $0.label != nil }) else {
            throw UserError(
                "\(pictures): no picture has a label to compare with, and what the models say goes nowhere",
                fix: "name a file with --output")
        }
        let scratch = try Files.makeTemporaryDirectory()
        defer { try? Files.remove(scratch) }
        let backend = runtime.backend()
        var bundle: ModelBundle?
        var scores: [[[Double]]] = []
        for (index, pattern) in plan.patterns.enumerated() {
            if index < model.count { bundle = try AdapterOptions.open(model[index], on: backend) }
            guard let bundle else { continue }
            do {
                scores.append(try method.scores(known, pattern, bundle, images: images, scratch: scratch))
            } catch let error as any Problem {
                throw ownWords(error, known, labels: plan.labels.count, scratch: scratch)
            }
        }
        let together = PatternExploiting.ensemble(scores, temperature: temperature)
        if let output { try write(known, together, plan, to: output) }
        let rows =
            zip(plan.patterns, scores).map { ($0.name, accuracy($1, known, plan)) }
            + [("together", accuracy(together, known, plan))]
        if json {
            let patterns = rows.map { ($0.0, $0.1.map { JSON.number($0) } ?? .null) }
            Console.out(
                JSON.object(["pictures": .int(known.count), "accuracy": .object(JSONObject(patterns))]).serialized())
        } else {
            Console.facts(
                rows.map { ($0.0, $0.1.map { Formatting.decimal(100 * $0, 2) + " %" } ?? "no labels to compare") })
        }
    }

    /// An error in a record that was made of a picture, told of the user's file: each picture has a record for every label.
    private func ownWords(
        _ error: any Problem, _ known: [LabelledPicture], labels: Int, scratch: String
    ) -> any Problem {
        let parts = error.problem.split(separator: ":", maxSplits: 2)
        guard error.problem.hasPrefix(scratch + "/"), parts.count == 3, let line = Int(parts[1]), line > 0,
            (line - 1) / labels < known.count
        else { return error }
        return UserError(
            "\(pictures): picture of \"\(known[(line - 1) / labels].id)\":\(parts[2])", fix: error.fix ?? "")
    }

    private func accuracy(_ scores: [[Double]], _ pictures: [LabelledPicture], _ plan: PatternPlan) -> Double? {
        let known = zip(pictures, scores).filter { $0.0.label != nil }
        guard !known.isEmpty else { return nil }
        return Double(known.count { plan.labels[Self.best($0.1)] == $0.0.label }) / Double(known.count)
    }

    private func write(
        _ pictures: [LabelledPicture], _ shares: [[Double]], _ plan: PatternPlan, to file: String
    ) throws {
        let lines = zip(pictures, shares).map { picture, shares in
            let line: JSON = [
                "id": .string(picture.id), "image": .string(picture.image),
                "label": .string(plan.labels[Self.best(shares)]),
                "probabilities": .object(JSONObject(zip(plan.labels, shares).map { ($0, .number($1)) })),
            ]
            return line.serialized() + "\n"
        }
        try Files.write(lines.joined(), to: file)
        PatternCommand.tellImages(pictures.isEmpty ? file : self.pictures, Paths.parent(file))
    }

    private static func best(_ shares: [Double]) -> Int { shares.indices.max { shares[$0] < shares[$1] } ?? 0 }
}

/// `vitrail pet distil`.
struct PatternDistilCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "distil", abstract: "Write pictures with probabilities as conversations for the last model.",
        discussion: """
            EXAMPLES
              vitrail pet distil plan.json soft.jsonl --output last.jsonl --copies 10
            """)

    @Argument(help: "Patterns and verbalizers, JSON.", completion: .file(extensions: ["json"]))
    var plan: String

    @Argument(help: "Pictures with probabilities, from vitrail pet label.", completion: .file(extensions: ["jsonl"]))
    var pictures: String

    @Option(help: ArgumentHelp("The conversations.", valueName: "file.jsonl"))
    var output: String

    @Option(help: ArgumentHelp("Conversations a picture, labels in proportion to their probability.", valueName: "n"))
    var copies = 10

    @Flag(help: "Print one JSON object: conversations, by the file that holds them.")
    var json = false

    func validate() throws {
        try OptionRange.repeats.check(copies, "--copies")
    }

    func run() throws {
        try Files.requireOther([output], than: [plan, pictures])
        let plan = try PatternPlan(plan)
        let records = try PatternExploiting(plan).distillation(
            LabelledPicture.read(pictures, plan: plan), copies: copies)
        try Files.write(records.map { $0.serialized() + "\n" }.joined(), to: output)
        if json {
            Console.out(JSON.object(["files": [output: .int(records.count)]]).serialized())
        } else {
            Console.out("\(records.count.counted("conversation")): \(output)")
        }
        PatternCommand.tellImages(pictures, Paths.parent(output))
    }
}

extension PatternCommand {
    /// Says what a recipe must name when records no longer lie beside their pictures.
    static func tellImages(_ pictures: String, _ folder: String) {
        let own = Paths.parent(pictures)
        if own != folder { Console.error("Their pictures lie under \(own): add images: \(own) to the data source.") }
    }
}
