import ArgumentParser
import Basics
import Evaluation
import InstructionData

/// Which phrasings a command uses.
struct TemplateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Template files: a folder, a file, or PromptSource's templates.yaml.", valueName: "path"))
    var templates: String?

    @Option(help: ArgumentHelp("The task of records that name none.", valueName: "name"))
    var task: String?

    @Option(help: ArgumentHelp("Use only these phrasings or tasks.", valueName: "a,b"))
    var only: String?

    @Option(help: ArgumentHelp("Leave these phrasings or tasks out, to evaluate on them.", valueName: "a,b"))
    var except: String?

    @Option(help: ArgumentHelp("Phrasings a record is written in: a number, or all.", valueName: "n"))
    var phrasings = "1"

    @Flag(help: "Let inverted phrasings take part (from the answer to the question).")
    var inverted = false

    @Option(help: ArgumentHelp("Seed of the choice.", valueName: "s"))
    var templateSeed: UInt64 = 17

    func validate() throws {
        let given = [
            ("--task", task != nil), ("--only", only != nil), ("--except", except != nil),
            ("--phrasings", phrasings != "1"), ("--inverted", inverted),
        ]
        if templates == nil, let (name, _) = given.first(where: { $0.1 }) {
            throw ValidationError("\(name) goes with --templates, as --templates Datasets/templates.")
        }
    }

    func choice() throws -> TemplateChoice? {
        guard let templates else { return nil }
        return try choice(of: library(templates))
    }

    func library(_ path: String) throws -> TemplateLibrary {
        try TemplateLibrary(path, metrics: MetricRegistry.all.map(\.name))
    }

    private func choice(of library: TemplateLibrary) throws -> TemplateChoice {
        var choice = TemplateChoice(library, seed: templateSeed, task: task)
        choice.only = Self.names(only)
        choice.except = Self.names(except)
        choice.includesInverted = inverted
        if phrasings == "all" {
            choice.perRecord = .max
        } else if let count = Int(phrasings), count > 0 {
            choice.perRecord = count
        } else {
            throw UserError("--phrasings \(phrasings) is no number", fix: "give 1 or more, or all")
        }
        try choice.check()
        return choice
    }

    private static func names(_ list: String?) -> [String] { (list ?? "").split(separator: ",").map { String($0) } }
}

/// `vitrail data template`.
struct DataTemplateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Recast records through templates: a phrasing for each exchange, drawn from a seed and noted in it.",
        discussion: """
            A record's exchanges say their task when it was converted with --tasks; --task gives one to the others. An
            exchange without a task stays as it is. vitrail convert takes the same options and does both at once.

            EXAMPLES
              vitrail data template vqa.jsonl --templates Datasets/templates --task vqa-short --output out.jsonl
              vitrail data template vqa.jsonl --templates Datasets/templates --except vqa-short/brief --output out.jsonl
              vitrail data template p3.jsonl --templates promptsource/ag_news/templates.yaml --task ag_news -o out.jsonl
              vitrail data template --list --templates Datasets/templates
            """)

    @Argument(help: "LLaVA or OpenAI-messages JSON or JSONL; or a folder with records.jsonl.", completion: .file())
    var data: String?

    @OptionGroup var templates: TemplateOptions

    @Option(name: .shortAndLong, help: ArgumentHelp("The records to write, JSON lines.", valueName: "file.jsonl"))
    var output: String?

    @Option(help: ArgumentHelp("Also (or only) write questions with answers, for evaluate.", valueName: "file.jsonl"))
    var evaluation: String?

    @Option(help: ArgumentHelp("The folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Flag(help: "Leave out what does not suit, and list it in <output>.repairs.jsonl.")
    var lenient = false

    @Option(help: ArgumentHelp("Only part i of n, so that several machines share the work.", valueName: "i/n"))
    var shard: String?

    @Flag(help: "List tasks, fields and phrasings instead.")
    var list = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        guard let path = templates.templates else {
            throw UserError("no templates are named", fix: "pass --templates Datasets/templates")
        }
        if list { return tell(try templates.library(path)) }
        guard output != nil || evaluation != nil else {
            throw UserError("nothing to write", fix: "name an --output or an --evaluation, or pass --list")
        }
        guard let data else { throw UserError("no data is named", fix: "name a file of records, or pass --list") }
        var request = ConversionRequest(input: DataOptions.file(data))
        request.images = images
        request.lenient = lenient
        var conversion = Conversion(kind: "llava", request: request)
        conversion.output = output
        conversion.evaluation = evaluation
        conversion.templates = try templates.choice()
        conversion.resumeKey = RunKey.make(of: [data, path])
        conversion.shard = try shard.map { try Conversion.Shard($0) }
        let report = try ProgressLine.running("record") { show in try conversion.run(progress: show) }
        if json { return Console.out(report.json.serialized()) }
        if report.records == 0, let shard { Written.tellEmptyPart(shard) }
        Console.error(
            "\(report.records.counted("record")) recast"
                + (report.leftOut > 0 ? ", \(Formatting.count(report.leftOut)) left out" : ""))
    }

    private func tell(_ library: TemplateLibrary) {
        if json {
            let tasks = library.tasks.map { task -> JSON in
                [
                    "task": .string(task.name), "summary": .string(task.summary),
                    "fields": .object(JSONObject(task.fields.map { ($0.name, .string($0.source.rawValue)) })),
                    "metrics": .array(task.metrics.map { .string($0) }),
                    "templates": .array(
                        task.templates.map { ["name": .string($0.name), "inverted": .bool($0.isInverted)] }),
                ]
            }
            return Console.out(JSON.array(tasks).serialized())
        }
        var rows = [["task", "phrasings", "inverted", "metrics"]]
        for task in library.tasks {
            let inverted = task.templates.count(where: \.isInverted)
            rows.append([
                task.name, Formatting.count(task.templates.count - inverted), Formatting.count(inverted),
                task.metrics.joined(separator: ","),
            ])
        }
        Console.table(rows, to: Console.out)
        for task in library.tasks {
            Console.out("\n\(task.name): \(task.summary)")
            for template in task.templates {
                Console.out("  \(template.name)\(template.isInverted ? " (inverted)" : "")")
            }
        }
    }
}
