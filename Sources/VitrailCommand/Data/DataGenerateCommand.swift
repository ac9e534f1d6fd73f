import ArgumentParser
import Basics
import DataGeneration
import InstructionData
import Synchronization

/// `vitrail data generate`.
struct DataGenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Make instruction data with a model: an OpenAI-compatible endpoint, or a model folder.",
        discussion: """
            STRATEGIES
            \(strategies)

            Every answer goes into a journal before anything is made of it: a run that was killed, or that used up its
            budget, goes on when the same command is given again, and asks nothing twice. What is turned down stands
            with its reason in <output>.rejected.jsonl. Prompts lie in Datasets/prompts. The key of an endpoint is read
            from VITRAIL_API_KEY or OPENAI_API_KEY and written nowhere.

            EXAMPLES
              vitrail data generate llava --data coco.jsonl --endpoint http://localhost:8000/v1 --model-name m -o out.jsonl
              vitrail data generate caption --data photos.jsonl --endpoint https://api.example.com/v1 --model-name v -o c.jsonl
              vitrail data generate rephrase --data mix.jsonl --shard 3/8 --model models/qwen -o mix-3.jsonl   # of 8 machines
              vitrail data generate self-instruct --count 500 --model models/qwen -o new.jsonl
            """)

    private static let strategies = GenerationStrategies.all.map { "  \($0.name)\n      \($0.summary)" }
        .joined(separator: "\n")

    @Argument(help: "How; see STRATEGIES.")
    var strategy: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The records to write, JSON lines.", valueName: "file.jsonl"))
    var output: String

    @Option(
        help: ArgumentHelp(
            "Records or pictures to start from: JSON or JSONL, or a folder with records.jsonl.", valueName: "file"))
    var data: String?

    @Option(help: ArgumentHelp("The folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Option(
        help: ArgumentHelp(
            "Seed tasks, prompts or questions, one a line (default: beside the prompts).", valueName: "file"))
    var seeds: String?

    @Option(help: ArgumentHelp("The folder of prompts.", valueName: "folder"))
    var prompts = "Datasets/prompts"

    @Option(help: ArgumentHelp("Records to make (default: one of each source, or 100).", valueName: "n"))
    var count: Int?

    @Option(
        help: ArgumentHelp(
            "Only part i of n of the records or seeds, so that several machines share the work.", valueName: "i/n"))
    var shard: String?

    @Option(help: ArgumentHelp("Kinds to make, as conversation,detail (llava).", valueName: "list"))
    var kinds: String?

    @Option(help: ArgumentHelp("ROUGE-L above which an instruction is not new.", valueName: "share"))
    var novelty = 0.7

    @Option(help: ArgumentHelp("Seed of every draw.", valueName: "s"))
    var seed: UInt64 = 42

    @Option(help: ArgumentHelp("Address of an endpoint, as http://localhost:8000/v1.", valueName: "url"))
    var endpoint: String?

    @Option(help: ArgumentHelp("The model's name at the endpoint.", valueName: "name"))
    var modelName: String?

    @Option(help: ArgumentHelp("A model folder that answers instead of an endpoint.", valueName: "folder"))
    var model: String?

    @Option(help: ArgumentHelp("Where answers are kept (default: <output>.journal.jsonl).", valueName: "file"))
    var journal: String?

    @Option(
        help: ArgumentHelp("Requests under way at once; a model folder answers as many in a batch.", valueName: "n"))
    var concurrency = 4

    @Option(help: ArgumentHelp("Requests that may begin within a minute.", valueName: "n"))
    var requestsPerMinute: Double?

    @Option(help: ArgumentHelp("Attempts after the first, on 429, 5xx, timeouts and broken answers.", valueName: "n"))
    var retries = 6

    @Option(help: ArgumentHelp("Seconds that an answer may take.", valueName: "s"))
    var timeout = 120.0

    @Option(help: ArgumentHelp("Attempts that may be sent in this run.", valueName: "n"))
    var maxRequests: Int?

    @Option(help: ArgumentHelp("Tokens of prompts and answers, earlier runs of the journal included.", valueName: "n"))
    var maxTokens: Int?

    @OptionGroup var runtime: RuntimeOptions

    @Flag(help: "Print the counts as JSON.")
    var json = false

    func validate() throws {
        try (1...256).check(concurrency, "--concurrency")
        try (0...1_000).check(retries, "--retries")
        try (0.001...86_400).check(timeout, "--timeout")
        try (0...1.0).check(novelty, "--novelty")
        try OptionRange.limit.check(count, "--count")
        try (0.001...1_000_000).check(requestsPerMinute, "--requests-per-minute")
        try (0...1_000_000_000).check(maxRequests, "--max-requests")
        try (0...1_000_000_000_000_000).check(maxTokens, "--max-tokens")
        if (endpoint == nil) == (model == nil) {
            throw ValidationError("Name who answers: either --endpoint or --model.")
        }
        if images != nil, data == nil { throw ValidationError("--images goes with --data.") }
    }

    func run() throws {
        var plan = GenerationPlan(strategy: strategy, prompts: prompts, output: output)
        _ = try GenerationStrategies.strategy(named: strategy)
        plan.seeds = seeds
        let beside = Paths.join(Paths.parent(output), Paths.stem(output) + ".journal.jsonl")
        try Files.requireOther([output], than: [data.map(DataOptions.file), seeds])
        try Files.requireApart([output, journal ?? beside])
        try ImageReference.requireFolder(images)
        plan.data = try data.map { try InstructionDataset(DataOptions.file($0), options: .init(imageFolder: images)) }
        plan.count = count
        plan.shard = try shard.map { try Conversion.Shard($0) }
        plan.seed = seed
        plan.novelty = novelty
        plan.kinds = (kinds ?? "").split(separator: ",").map { String($0) }
        if kinds != nil, plan.kinds.isEmpty {
            throw UserError("--kinds names no kind", fix: "name some, or leave it out for all")
        }
        plan.round = max(concurrency * 4, 16)
        var policy = CompletionClient.Policy()
        policy.concurrency = concurrency
        policy.requestsPerMinute = requestsPerMinute
        policy.retries = retries
        policy.maximumRequests = maxRequests
        policy.maximumTokens = maxTokens
        try GenerationRun.check(plan)
        let writer = try writer()
        let journal = try CompletionJournal(journal ?? beside)
        defer { journal.removeIfEmpty() }
        if journal.count > 0 {
            Console.error("\(journal.path): \(journal.count.counted("answer")) to go on from")
        }
        Interruption.listen()
        let client = CompletionClient(
            writer, journal: journal, policy: policy, waiting: WaitNotice().tell,
            isCancelled: { Interruption.isRequested })
        let expected = plan.expected
        var progress = ProgressLine("record")
        let report = try Self.tellingStop {
            try GenerationRun.run(plan, client: client) { progress.show($0, of: expected) }
        }
        try journal.close()
        if json { Console.out(report.json.serialized()) } else { tell(report, journal) }
        if report.stopped != nil {
            throw ExitCode(Interruption.isRequested ? ExitStatus.interrupted : ExitStatus.failed)
        }
    }

    /// Ends the command with the exit code of an interruption where one came before the first record.
    private static func tellingStop(_ body: () throws -> GenerationReport) throws -> GenerationReport {
        do { return try body() } catch let stop as GenerationStopped {
            guard stop.isOrderly, Interruption.isRequested else { throw stop }
            Console.report(stop)
            throw ExitCode(ExitStatus.interrupted)
        }
    }

    private func writer() throws -> any CompletionWriter {
        if let model { return try LocalWriter(model, backend: runtime.backend(), batch: concurrency) }
        guard let endpoint, let modelName else {
            throw UserError("the endpoint's model has no name", fix: "pass --model-name, as the server lists it")
        }
        let key = Console.environment("VITRAIL_API_KEY") ?? Console.environment("OPENAI_API_KEY")
        return try EndpointWriter(
            endpoint, model: modelName, key: key.flatMap { $0.isEmpty ? nil : $0 }, timeout: timeout,
            isCancelled: { Interruption.isRequested })
    }

    private func tell(_ report: GenerationReport, _ journal: CompletionJournal) {
        if report.records == 0, let shard { Written.tellEmptyPart(shard) }
        let rejected = report.rejected.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !rejected.isEmpty {
            Console.table([["turned down", "times"]] + rejected.map { [$0.key, Formatting.count($0.value)] })
        }
        let totals = report.totals
        Console.error(
            "\(output): \(report.records.counted("record")) from \(totals.answers.counted("answer")) "
                + "(\(totals.attempts.counted("attempt")), \(Formatting.count(totals.replayed)) from the journal, "
                + "\(journal.tokens.counted("token")) in all)")
        if let stopped = report.stopped { Console.error(stopped) }
    }
}

/// Tells of requests that wait, once in a while: several wait for one reason.
private final class WaitNotice: Sendable {
    private let told = Mutex<ContinuousClock.Instant?>(nil)

    func tell(_ seconds: Double, _ reason: String) {
        told.withLock { last in
            let now = ContinuousClock.now
            guard seconds >= 5, last.map({ now - $0 > .seconds(15) }) ?? true else { return }
            last = now
            Console.error("Waiting \(Formatting.duration(seconds)) to ask again: \(reason)")
        }
    }
}
