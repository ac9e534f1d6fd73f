public import Basics
public import InstructionData

/// What a generation makes, from what, and where to.
public struct GenerationPlan: Sendable {
    /// The strategy's name.
    public var strategy: String
    /// The folder of prompt files.
    public var prompts: String
    /// The file of records.
    public var output: String
    /// Seeds: tasks, prompts or questions, one JSON object or text a line.
    public var seeds: String?
    /// Records or pictures to start from.
    public var data: InstructionDataset?
    /// Records to make; nil: one of each source.
    public var count: Int?
    /// Seed of every draw.
    public var seed: UInt64 = 42
    /// Only the sources whose number in order is `index` modulo `count`.
    public var shard: Conversion.Shard?
    /// Requests of one round.
    public var round = 32
    /// ROUGE-L above which an instruction is not new.
    public var novelty = 0.7
    /// Which of a strategy's kinds to make, such as `conversation`; empty: all.
    public var kinds: [String] = []
    /// Longest side of pictures that are sent, in pixels.
    public var pictureSide = 1024

    /// A plan.
    public init(strategy: String, prompts: String, output: String) {
        self.strategy = strategy
        self.prompts = prompts
        self.output = output
    }

    /// Records that it may come to: as many as asked for, or one of each record of the part.
    public var expected: Int? { count ?? data.flatMap { try? positions(of: $0.count).count } }

    /// A prompt of the strategy.
    func prompt(_ name: String, _ names: [String]) throws -> PromptFile {
        guard Files.isDirectory(prompts) else {
            throw UserError(
                "\(prompts): no such folder of prompts",
                fix: "name it with --prompts; Vitrail's own lies in its repository, at Datasets/prompts")
        }
        return try PromptFile(Paths.join(prompts, strategy, name + ".yaml"), names: names)
    }

    /// The numbers of the sources that are this run's, of so many.
    /// - Throws: `UserError` when the part is empty.
    func positions(of count: Int) throws(UserError) -> [Int] {
        guard let shard else { return Array(0..<count) }
        guard shard.index < count else {
            throw UserError(
                "part \(shard.index + 1)/\(shard.count) is empty: there are \(count) sources",
                fix: "share the work among at most \(count) parts")
        }
        return Array(stride(from: shard.index, to: count, by: shard.count))
    }

    /// Says why the strategy cannot be done in parts.
    func checkShard(_ strategy: any GenerationStrategy.Type) throws(UserError) {
        guard shard != nil else { return }
        if let reason = strategy.wholeOnly {
            throw UserError(
                "\(strategy.name) cannot be done in parts: \(reason)",
                fix: "run it whole; several runs with --seeds or --seed of their own, then data dedupe, share work too")
        }
        if count != nil {
            throw UserError(
                "a part does not know how many records the other parts make",
                fix: "pass --shard without --count; mix or cut the parts afterwards")
        }
    }

    /// The seeds' file, or the one that lies beside the strategy's prompts.
    var seedFile: String { seeds ?? Paths.join(prompts, strategy, "seeds.jsonl") }

    /// The data, or an error that says how to give it.
    func requiredData() throws(UserError) -> InstructionDataset {
        guard let data else {
            throw UserError("\(strategy) starts from records", fix: "name them with --data")
        }
        return data
    }
}

/// What a generation gave.
public struct GenerationReport: Sendable, Equatable {
    /// Records written.
    public var records = 0
    /// What was turned down, by reason.
    public var rejected: [String: Int] = [:]
    /// What asking took.
    public var totals = CompletionClient.Totals()
    /// Why it ended before its work was done.
    public var stopped: String?

    /// The report as JSON.
    public var json: JSON {
        var reasons = JSONObject()
        for (reason, count) in rejected.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            reasons[reason] = .int(count)
        }
        return [
            "records": .int(records), "rejected": .object(reasons), "attempts": .int(totals.attempts),
            "answers": .int(totals.answers), "replayed": .int(totals.replayed), "failures": .int(totals.failures),
            "stopped": stopped.map { .string($0) } ?? nil,
        ]
    }
}

/// Where a strategy puts what it makes and what it turns down.
public final class GenerationSink {
    private let plan: GenerationPlan
    private let model: String
    private let write: (InstructionRecord) throws -> Void
    private let note: (JSON) throws -> Void
    /// Counts so far.
    public private(set) var report = GenerationReport()
    /// The first text that each filter turned down.
    private(set) var examples: [String: String] = [:]

    init(
        _ plan: GenerationPlan, model: String, write: @escaping (InstructionRecord) throws -> Void,
        note: @escaping (JSON) throws -> Void
    ) {
        self.plan = plan
        self.model = model
        self.write = write
        self.note = note
    }

    /// Adds a record; how it came about is kept in it.
    ///
    /// - Parameters:
    ///   - prompt: digest of the prompt file.
    ///   - requests: digests of the requests whose answers it holds.
    ///   - sources: ids of the records or seeds that it was made from.
    func emit(_ record: InstructionRecord, prompt: String, requests: [String], sources: [String]) throws {
        var record = record
        record.metadata["generated"] = [
            "strategy": .string(plan.strategy), "model": .string(model), "prompt": .string(prompt),
            "requests": .array(requests.map { .string($0) }), "sources": .array(sources.map { .string($0) }),
        ]
        try write(record)
        report.records += 1
    }

    /// Counts what was turned down, and writes it to the side file.
    func reject(_ filter: String, _ text: String, request: String? = nil) throws {
        report.rejected[filter, default: 0] += 1
        if examples[filter] == nil {
            examples[filter] = String(text.split(separator: "\n").joined(separator: " ").prefix(200))
        }
        try note([
            "filter": .string(filter), "text": .string(String(text.prefix(2_000))),
            "request": request.map { .string($0) } ?? nil,
        ])
    }

    /// Records that are still asked for.
    var missing: Int { plan.count.map { $0 - report.records } ?? .max }

    /// Whether as many records are there as were asked for.
    var isFull: Bool { plan.count.map { report.records >= $0 } ?? false }
}
