import Basics
import InstructionData

/// A vision model describes each picture, asks a hard question about it and answers that, in one call (ALLaVA; the
/// descriptions alone are what ShareGPT4V does).
struct CaptionStrategy: GenerationStrategy {
    static let name = "caption"
    static let choices: Set<GenerationChoice> = [.data]
    static let summary =
        "a vision model describes pictures, then asks and answers a question about each (ShareGPT4V, ALLaVA)"

    private let rounds: RecordRounds
    private let prompt: PromptFile
    private let plan: GenerationPlan

    /// How the descriptions are asked for in the records.
    private static let questions = [
        "Describe the image in detail.", "What can you see in the picture? Describe all of it.",
        "Give a thorough description of this picture.", "Write a paragraph about what the image contains.",
    ]

    init(_ plan: GenerationPlan) throws {
        self.plan = plan
        rounds = try RecordRounds(plan)
        prompt = try plan.prompt("describe-and-ask", ["id"])
    }

    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws {
        let (rounds, prompt) = (rounds, prompt)
        try rounds.run(client, sink, progress: progress) { record in
            guard !record.images.isEmpty else { throw UserError("record \(record.id) has no picture") }
            return [
                ("", try prompt.request(["id": .string(record.id)], pictures: try rounds.pictures(of: record)))
            ]
        } read: { item, completion in
            let text = completion.text
            guard let description = text.between("<description>", "</description>"), !description.isEmpty else {
                return try sink.reject("no description", text, request: item.digest)
            }
            var generator = RandomGenerator(seed: plan.seed, stream: item.record.id)
            let question = Self.questions[generator.below(Self.questions.count)]
            var exchanges = [(question: question, answer: description)]
            if let asked = text.between("<question>", "</question>"), !asked.isEmpty,
                let answer = text.between("<answer>", "</answer>"), !answer.isEmpty
            {
                exchanges.append((asked, answer))
            } else {
                try sink.reject("no question or answer", text, request: item.digest)
            }
            try sink.emit(
                item.record.with(exchanges), prompt: prompt.digest, requests: [item.digest], sources: [item.record.id])
        }
    }
}
