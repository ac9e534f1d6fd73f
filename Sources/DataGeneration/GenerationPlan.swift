import Basics
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
    public var expected: Int? { count ?? data.map { positions(of: $0.count).count } }

    /// A prompt of the strategy.
    func prompt(_ name: String, _ names: [String]) throws -> PromptFile {
        guard Files.isDirectory(prompts) else {
            throw UserError(
                "\(prompts): no such folder of prompts",
                fix: "name it with --prompts; Vitrail's own lies in its repository, at Datasets/prompts")
        }
        return try PromptFile(Paths.join(prompts, strategy, name + ".yaml"), names: names)
    }

    /// The numbers of the sources that are this run's, of so many; none where there are more parts than sources.
    func positions(of count: Int) -> [Int] {
        guard let shard else { return Array(0..<count) }
        return Array(stride(from: shard.index, to: count, by: shard.count))
    }

    /// Refuses choices that the strategy would pass over.
    func checkChoices(_ strategy: any GenerationStrategy.Type) throws(UserError) {
        let made: [(choice: GenerationChoice, isMade: Bool)] = [
            (.data, data != nil), (.seeds, seeds != nil), (.kinds, !kinds.isEmpty),
        ]
        for (choice, isMade) in made where isMade && !strategy.choices.contains(choice) {
            let names = GenerationStrategies.all.filter { $0.choices.contains(choice) }.map { $0.name }
            throw UserError(
                "\(strategy.name) has no use for \(choice.rawValue)",
                fix: "leave that out; of use to \(names.joined(separator: ", "))")
        }
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
