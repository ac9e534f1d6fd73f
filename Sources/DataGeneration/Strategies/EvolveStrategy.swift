import Basics
import InstructionData

/// Questions made harder, and answered anew by a model that sees the picture (Evol-Instruct for pictures).
struct EvolveStrategy: GenerationStrategy {
    static let name = "evolve"
    static let choices: Set<GenerationChoice> = [.data]
    static let summary = "questions made harder and answered anew"

    private let rounds: RecordRounds
    private let prompt: PromptFile

    init(_ plan: GenerationPlan) throws {
        rounds = try RecordRounds(plan)
        prompt = try plan.prompt("harder", ["question", "answer"])
    }

    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws {
        let (prompt, rounds) = (prompt, rounds)
        try rounds.run(client, sink, progress: progress) { record in
            guard let first = ConvertedRecord(record).exchanges.first else { return [] }
            let question = first.question.pieces(at: "<image>").joined().stripped
            let request = try prompt.request(
                ["question": .string(question), "answer": .string(first.answer)],
                pictures: try rounds.pictures(of: record))
            return [("", request)]
        } read: { item, completion in
            guard let question = completion.text.between("<question>", "</question>"), !question.isEmpty,
                let answer = completion.text.between("<answer>", "</answer>"), !answer.isEmpty
            else { return try sink.reject("no question or answer", completion.text, request: item.digest) }
            try sink.emit(
                item.record.with([(question, answer)], suffix: "-e"), prompt: prompt.digest, requests: [item.digest],
                sources: [item.record.id])
        }
    }
}
