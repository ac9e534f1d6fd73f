import Basics
import InstructionData
import Tokenization

/// One model plays both sides of a talk about a seed question (Xu et al., "Baize", 2023).
struct SelfChatStrategy: GenerationStrategy {
    static let name = "self-chat"
    static let choices: Set<GenerationChoice> = [.seeds]
    static let summary = "both sides of a talk by one model, from seed questions (Baize)"

    private let plan: GenerationPlan
    private let prompt: PromptFile
    private let seeds: [Seed]

    init(_ plan: GenerationPlan) throws {
        self.plan = plan
        prompt = try plan.prompt("transcript", ["seed"])
        seeds = try Seed.read(plan.seedFile)
    }

    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws {
        // Seeds that gave too little are made up for by further draws, up to twice as many.
        let numbers = plan.count.map { Array(0..<$0 * 2) } ?? plan.positions(of: seeds.count)
        sink.begin(numbers.count)
        var asked = 0
        while !sink.isFull, asked < numbers.count {
            let size = min(plan.round, sink.missing)
            let batch = numbers.dropFirst(asked).prefix(size).map { (seeds[$0 % seeds.count], $0) }
            asked += batch.count
            let requests = try batch.map { seed, number in
                try prompt.request(["seed": .string(seed.instruction)], draw: number / seeds.count)
            }
            for ((entry, request), answer) in try zip(zip(batch, requests), client.complete(requests))
            where !sink.isFull {
                let digest = request.digest(model: client.model)
                guard case .success(let completion) = answer else {
                    try sink.reject("no answer", answer.failureReason, request: digest)
                    continue
                }
                let turns = Self.turns(in: completion.text, isCut: completion.isCut)
                guard turns.count >= 2 else {
                    try sink.reject("no talk", completion.text, request: digest)
                    continue
                }
                let record = InstructionRecord(
                    id: "self-chat-\(entry.1)", images: [], conversation: Conversation(turns))
                try sink.emit(record, prompt: prompt.digest, requests: [digest], sources: [entry.0.id])
            }
            progress(sink.report.records)
        }
    }

    /// Turns of a transcript marked `[Human]` and `[AI]`, without its greeting and without a last turn that was cut.
    static func turns(in text: String, isCut: Bool) -> [Turn] {
        var turns: [Turn] = []
        for part in text.pieces(at: "[Human]").dropFirst() {
            let sides = part.pieces(at: "[AI]")
            let question = sides[0].stripped
            guard sides.count == 2, !question.isEmpty, !sides[1].stripped.isEmpty else { break }
            turns += [Turn(role: .user, content: question), Turn(role: .assistant, content: sides[1].stripped)]
        }
        if isCut, turns.count >= 2 { turns.removeLast(2) }
        return turns
    }
}

/// A seed: a task, a question, or a prompt that somebody wrote.
struct Seed: Sendable {
    var id: String
    var instruction: String
    var input: String
    var output: String
    var isClassification: Bool

    /// Reads seeds: a JSON object a line (`instruction`, `input`, `output` or Self-Instruct's `instances`), or plain lines.
    /// - Throws: a `Problem` naming file and line.
    static func read(_ path: String) throws -> [Seed] {
        var seeds: [Seed] = []
        for line in try Files.readLines(path) {
            let text = line.text.stripped
            guard text.hasPrefix("{") else {
                seeds.append(
                    Seed(id: "line \(line.number)", instruction: text, input: "", output: "", isClassification: false))
                continue
            }
            let value: JSON
            do { value = try JSON.parse(text, source: path) } catch {
                throw UserError("\(path):\(line.number): \(error.reason)", fix: "write one JSON object a line")
            }
            guard let instruction = value["instruction"]?.string?.stripped, !instruction.isEmpty else {
                throw UserError("\(path):\(line.number): a seed has no \"instruction\"", fix: "add it")
            }
            let instance = value["instances"]?[0]
            seeds.append(
                Seed(
                    id: value["id"]?.string ?? "line \(line.number)", instruction: instruction,
                    input: (value["input"] ?? instance?["input"])?.string ?? "",
                    output: (value["output"] ?? instance?["output"])?.string ?? "",
                    isClassification: value["is_classification"]?.bool ?? false))
        }
        guard !seeds.isEmpty else { throw UserError("\(path) holds no seeds", fix: "give one a line") }
        return seeds
    }
}
