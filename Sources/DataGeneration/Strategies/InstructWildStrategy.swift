import Basics
import InstructionData
import Tokenization

/// New prompts in the manner of prompts that people wrote, five shown at a time, then answers (InstructWild v1).
struct InstructWildStrategy: GenerationStrategy {
    static let name = "instruct-wild"
    static let choices: Set<GenerationChoice> = [.seeds]
    static let summary = "prompts in the manner of people's own, then answers (InstructWild)"
    static let wholeOnly: String? = "what is new depends on all that was made before"

    private let plan: GenerationPlan
    private let seeds: [Seed]
    private let more: PromptFile
    private let answer: PromptFile

    init(_ plan: GenerationPlan) throws {
        self.plan = plan
        seeds = try Seed.read(plan.seedFile)
        more = try plan.prompt("more", ["examples"])
        answer = try plan.prompt("answer", ["instruction"])
    }

    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws {
        var generator = RandomGenerator(seed: plan.seed, stream: Self.name)
        var pool = InstructionPool(seeds: seeds, novelty: plan.novelty, allowsPictures: false)
        let wanted = plan.count ?? 100
        var draw = 0
        var size = RoundSize(most: plan.round)
        // A model that repeats itself never gets there: five answers a wanted record are enough.
        while !sink.isFull, draw < wanted * 5 {
            let requests = try (0..<size.next(sink)).map { _ in
                let examples = (0..<5).map { _ in seeds[generator.below(seeds.count)].instruction }
                draw += 1
                return try more.request(["examples": .array(examples.map { .string($0) })], draw: draw)
            }
            var fresh: [(instruction: String, request: String)] = []
            for (request, result) in try zip(requests, client.complete(requests)) {
                let digest = request.digest(model: client.model)
                guard case .success(let completion) = result else {
                    try sink.reject("no answer", result.failureReason, request: digest)
                    continue
                }
                var items = completion.text.numberedItems
                if completion.isCut { items = Array(items.dropLast()) }
                for item in items {
                    if let fault = try pool.fault(of: item) {
                        try sink.reject(fault, item, request: digest)
                    } else {
                        fresh.append((item, digest))
                    }
                }
            }
            // No more of them than can still be used: answers are paid for.
            while !fresh.isEmpty, !sink.isFull {
                let part = Array(fresh.prefix(min(sink.missing, plan.round)))
                fresh.removeFirst(part.count)
                try makeAnswers(part, client, sink)
            }
            progress(sink.report.records)
        }
    }

    private func makeAnswers(
        _ prompts: [(instruction: String, request: String)], _ client: CompletionClient, _ sink: GenerationSink
    ) throws {
        let asked = try prompts.map { try answer.request(["instruction": .string($0.instruction)]) }
        for (number, result) in try client.complete(asked).enumerated() where !sink.isFull {
            let digest = asked[number].digest(model: client.model)
            guard case .success(let completion) = result, !completion.isCut,
                !completion.text.stripped.isEmpty
            else {
                try sink.reject("no whole answer", prompts[number].instruction, request: digest)
                continue
            }
            let record = InstructionRecord(
                id: "instruct-wild-\(sink.report.records)", images: [],
                conversation: Conversation([
                    Turn(role: .user, content: prompts[number].instruction),
                    Turn(role: .assistant, content: completion.text.stripped),
                ]))
            try sink.emit(record, prompt: answer.digest, requests: [prompts[number].request, digest], sources: [])
        }
    }
}
