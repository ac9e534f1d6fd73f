import Basics
import InstructionData

/// Questions in other words, with the answers they had.
struct RephraseStrategy: GenerationStrategy {
    static let name = "rephrase"
    static let choices: Set<GenerationChoice> = [.data]
    static let summary = "questions in other words, answers kept"

    private let rounds: RecordRounds
    private let prompt: PromptFile

    init(_ plan: GenerationPlan) throws {
        rounds = try RecordRounds(plan)
        prompt = try plan.prompt("question", ["question", "answer"])
    }

    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws {
        let prompt = prompt
        // Each exchange is a request; a record is whole when its last one is answered.
        var pending: (record: InstructionRecord, exchanges: [(question: String, answer: String)], digests: [String])?
        func flush() throws {
            guard let ready = pending else { return }
            pending = nil
            try sink.emit(
                ready.record.with(ready.exchanges, suffix: "-r"), prompt: prompt.digest, requests: ready.digests,
                sources: [ready.record.id])
        }
        try rounds.run(client, sink, progress: progress) { record in
            try ConvertedRecord(record).exchanges.enumerated().map { index, exchange in
                let question = exchange.question.pieces(at: "<image>").joined().stripped
                return (
                    String(index),
                    try prompt.request(["question": .string(question), "answer": .string(exchange.answer)])
                )
            }
        } read: { item, completion in
            let question = completion.text.stripped
            let exchanges = ConvertedRecord(item.record).exchanges
            guard let index = Int(item.kind), exchanges.indices.contains(index) else { return }
            if pending?.record.id != item.record.id || index == 0 { try flush() }
            guard !question.isEmpty, !question.contains("\n") else {
                return try sink.reject("no single question", question, request: item.digest)
            }
            if pending == nil { pending = (item.record, [], []) }
            pending?.exchanges.append((question, exchanges[index].answer))
            pending?.digests.append(item.digest)
        }
        try flush()
    }
}
