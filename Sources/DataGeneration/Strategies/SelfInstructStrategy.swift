import Basics
import InstructionData
import Tokenization

/// New tasks from seed tasks, whether each is a classification, then instances of it (Wang et al., "Self-Instruct", 2023).
///
/// Six seeds and two machine-made tasks are shown; new ones pass the paper's filters and ROUGE-L. With pictures (`--data`)
/// each task is about one, which the model sees when it makes the instance, and the filter against picture words is off.
struct SelfInstructStrategy: GenerationStrategy {
    static let name = "self-instruct"
    static let choices: Set<GenerationChoice> = [.data, .seeds]
    static let summary = "new tasks from seed tasks, then instances; with --data about its pictures (Self-Instruct)"
    static let wholeOnly: String? = "what is new depends on all that was made before"

    private let plan: GenerationPlan
    private let seeds: [Seed]
    private let tasks: PromptFile
    private let kind: PromptFile
    private let inputFirst: PromptFile
    private let outputFirst: PromptFile
    private let pictures: RecordRounds?

    init(_ plan: GenerationPlan) throws {
        self.plan = plan
        pictures = try plan.data == nil ? nil : RecordRounds(plan)
        let folder = pictures == nil ? "" : "picture-"
        var seedPlan = plan
        if plan.seeds == nil, pictures != nil {
            seedPlan.seeds = Paths.join(plan.prompts, Self.name, "picture-seeds.jsonl")
        }
        seeds = try Seed.read(seedPlan.seedFile)
        tasks = try plan.prompt(folder + "tasks", ["examples", "next"])
        kind = try plan.prompt("is-classification", ["instruction"])
        inputFirst = try plan.prompt(folder + "input-first", ["instruction"])
        outputFirst = try plan.prompt(folder + "output-first", ["instruction"])
    }

    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws {
        var generator = RandomGenerator(seed: plan.seed, stream: Self.name)
        var pool = InstructionPool(seeds: seeds, novelty: plan.novelty, allowsPictures: pictures != nil)
        let wanted = plan.count ?? 100
        var draw = 0
        var size = RoundSize(most: plan.round)
        while !sink.isFull, draw < wanted * 5 {
            let requests = try (0..<size.next(sink)).map { _ in
                draw += 1
                return try taskRequest(pool, draw, &generator)
            }
            var fresh: [(instruction: String, request: String)] = []
            for (request, result) in try zip(requests, client.complete(requests)) {
                let digest = request.digest(model: client.model)
                guard case .success(let completion) = result else {
                    try sink.reject("no answer", result.failureReason, request: digest)
                    continue
                }
                var items = completion.text.numberedItems
                if items.isEmpty { items = [completion.text.stripped] }
                // The last one of a text that was cut is not whole.
                if completion.isCut { items = Array(items.dropLast()) }
                for item in items {
                    if let fault = try pool.fault(of: item) {
                        try sink.reject(fault, item, request: digest)
                    } else {
                        fresh.append((item, digest))
                    }
                }
            }
            // Instances of no more tasks than can still be used: answers are paid for.
            while !fresh.isEmpty, !sink.isFull {
                let part = Array(fresh.prefix(min(sink.missing, plan.round)))
                fresh.removeFirst(part.count)
                try makeInstances(part, client, sink, &generator)
            }
            progress(sink.report.records)
        }
    }

    private func taskRequest(
        _ pool: InstructionPool, _ draw: Int, _ generator: inout RandomGenerator
    ) throws -> CompletionRequest {
        var examples: [String] = []
        var machine = pool.machine
        generator.shuffle(&machine)
        examples += machine.prefix(2)
        var human = seeds.map(\.instruction)
        generator.shuffle(&human)
        examples += human.prefix(8 - examples.count)
        generator.shuffle(&examples)
        return try tasks.request(
            ["examples": .array(examples.map { .string($0) }), "next": .int(examples.count + 1)], draw: draw)
    }

    private func makeInstances(
        _ fresh: [(instruction: String, request: String)], _ client: CompletionClient, _ sink: GenerationSink,
        _ generator: inout RandomGenerator
    ) throws {
        let kinds = try client.complete(
            fresh.map { try kind.request(["instruction": .string($0.instruction)]) })
        var asked: [(task: Int, request: CompletionRequest, prompt: PromptFile, record: InstructionRecord?)] = []
        for (number, result) in kinds.enumerated() {
            guard case .success(let completion) = result else {
                try sink.reject("no answer", result.failureReason)
                continue
            }
            let prompt = completion.text.lowercased().stripped.hasPrefix("yes") ? outputFirst : inputFirst
            var record: InstructionRecord?
            if let pictures {
                var repairs: [Repair] = []
                let position = generator.below(pictures.data.count)
                record = try pictures.data.unresolvedRecord(at: position, repairs: &repairs)
            }
            let request = try prompt.request(
                ["instruction": .string(fresh[number].instruction)],
                pictures: try record.map { try pictures?.pictures(of: $0) ?? [] } ?? [])
            asked.append((number, request, prompt, record))
        }
        for (entry, result) in try zip(asked, client.complete(asked.map(\.request))) where !sink.isFull {
            let digest = entry.request.digest(model: client.model)
            let task = fresh[entry.task]
            guard case .success(let completion) = result, !completion.isCut else {
                try sink.reject("no whole answer", task.instruction, request: digest)
                continue
            }
            let instances = Self.instances(in: completion.text)
            if instances.isEmpty { try sink.reject("no instance", completion.text, request: digest) }
            for instance in instances.prefix(5) where !sink.isFull {
                let images = entry.record?.images ?? []
                let blank = InstructionRecord(
                    id: "self-instruct-\(sink.report.records)", images: images, conversation: Conversation([]))
                let question = task.instruction + (instance.input.isEmpty ? "" : "\n\n" + instance.input)
                try sink.emit(
                    blank.with([(question, instance.output)]), prompt: entry.prompt.digest,
                    requests: [task.request, digest], sources: entry.record.map { [$0.id] } ?? [])
            }
        }
    }

    /// Instances (`Input:` … `Output:` …, or `Class label:` … `Input:` …) that pass the paper's filters: no empty output, none
    /// equal to its input or ending in a colon, each once, and no input with two outputs.
    static func instances(in text: String) -> [(input: String, output: String)] {
        var found: [(input: String, output: String)] = []
        if text.contains("Class label:") {
            for part in text.pieces(at: "Class label:").dropFirst() {
                let lines = part.pieces(at: "\n")
                let input = lines.dropFirst().joined(separator: "\n").stripped
                found.append((value(input, "Input:"), lines[0].stripped))
            }
        } else if text.contains("Output:") {
            var input = ""
            for (index, part) in text.pieces(at: "Output:").enumerated() {
                let sides = part.pieces(at: "Input:")
                if index > 0 {
                    let output = sides[0].pieces(at: "Example ")[0].stripped
                    found.append((input, output))
                }
                input = sides.count > 1 ? sides[1].stripped : ""
            }
        } else {
            found = [("", text.stripped)]
        }
        found = found.map { (["", "none", "n/a", "<noinput>"].contains($0.0.lowercased()) ? "" : $0.0, $0.1) }
        found.removeAll {
            $0.output.isEmpty || $0.output == $0.input || $0.output.hasSuffix(":") || $0.input.hasSuffix(":")
        }
        var outputs: [String: Set<String>] = [:]
        for instance in found { outputs[instance.input, default: []].insert(instance.output) }
        var seen: Set<String> = []
        return found.filter { outputs[$0.input]?.count == 1 && seen.insert($0.input).inserted }
    }

    private static func value(_ text: String, _ mark: String) -> String {
        text.hasPrefix(mark) ? String(text.dropFirst(mark.count)).stripped : text
    }
}
