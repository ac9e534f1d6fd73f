import Basics
import InstructionData
import Tokenization

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
        // Each exchange is a request; a record is whole with its last one's answer, or when the next record's begin.
        var pending: Rephrased?
        func flush() throws {
            guard let ready = pending else { return }
            pending = nil
            guard !ready.digests.isEmpty else { return }
            let record = InstructionRecord(
                id: ready.record.id + "-r", images: ready.record.images, conversation: ready.conversation)
            try sink.emit(record, prompt: prompt.digest, requests: ready.digests, sources: [ready.record.id])
        }
        try rounds.run(client, sink, progress: progress) { record in
            try ConvertedRecord(record).exchanges.enumerated().map { index, exchange in
                let question = exchange.question.pieces(at: Conversation.imageMarker).joined().stripped
                return (
                    String(index),
                    try prompt.request(["question": .string(question), "answer": .string(exchange.answer)])
                )
            }
        } read: { item, completion in
            if pending?.position != item.position { try flush() }
            guard !sink.isFull, let index = Int(item.kind) else { return }
            if pending == nil {
                pending = Rephrased(
                    position: item.position, record: item.record, conversation: item.record.conversation)
            }
            let question = completion.text.stripped
            if question.isEmpty || question.contains("\n") || question.contains(Conversation.imageMarker) {
                try sink.reject("no single question", question, request: item.digest)
            } else {
                pending?.ask(question, at: index)
                pending?.digests.append(item.digest)
            }
            if 2 * (index + 1) == item.record.conversation.dialogue.count { try flush() }
        }
        if !sink.isFull { try flush() }
    }

    /// A record whose questions are exchanged as their answers come; what has none keeps its words, as later turns speak of earlier
    /// ones.
    private struct Rephrased {
        let position: Int
        let record: InstructionRecord
        var conversation: Conversation
        var digests: [String] = []

        /// Puts a question in the place of an exchange's, with its pictures where they stood, in front or behind.
        mutating func ask(_ question: String, at exchange: Int) {
            let turn = conversation.dialogue.startIndex + 2 * exchange
            let old = conversation.turns[turn].content
            let markers = [String](
                repeating: Conversation.imageMarker, count: old.pieces(at: Conversation.imageMarker).count - 1)
            let areBehind = !markers.isEmpty && !old.stripped.hasPrefix(Conversation.imageMarker)
            let parts = areBehind ? [question] + markers : markers + [question]
            conversation.turns[turn].content = parts.joined(separator: "\n")
        }
    }
}
