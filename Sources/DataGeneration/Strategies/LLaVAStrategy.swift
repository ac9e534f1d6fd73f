import Basics
import InstructionData

/// Conversations, detailed descriptions and reasoning about pictures that the model knows from captions and boxes only
/// (Liu et al., "Visual Instruction Tuning", 2023).
struct LLaVAStrategy: GenerationStrategy {
    static let name = "llava"
    static let choices: Set<GenerationChoice> = [.data, .kinds]
    static let summary =
        "conversation, detail and reasoning from captions and boxes, by a language model (LLaVA-Instruct)"

    static let kinds = ["conversation", "detail", "reasoning"]
    private let rounds: RecordRounds
    private let prompts: [(kind: String, prompt: PromptFile)]
    private let plan: GenerationPlan

    private static let detailQuestions = [
        "Describe the following image.", "Can you describe the image in detail?", "What do you see in this picture?",
        "Explain the visual content of the image in great detail.",
        "Analyze the image in a comprehensive and detailed manner.",
    ]

    init(_ plan: GenerationPlan) throws {
        self.plan = plan
        rounds = try RecordRounds(plan)
        for kind in plan.kinds where !Self.kinds.contains(kind) {
            throw UserError(
                "unknown kind \"\(kind)\"" + Suggestion.phrase(for: kind, among: Self.kinds),
                fix: "kinds: \(Self.kinds.joined(separator: ", "))")
        }
        prompts = try (plan.kinds.isEmpty ? Self.kinds : plan.kinds).map {
            ($0, try plan.prompt($0, ["captions", "boxes"]))
        }
    }

    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws {
        let prompts = prompts
        try rounds.run(client, sink, progress: progress) { record in
            let context = Self.context(of: record)
            guard context["captions"]?.array?.isEmpty == false else {
                throw UserError("record \(record.id) has no caption")
            }
            return try prompts.map { ($0.kind, try $0.prompt.request(context)) }
        } read: { item, completion in
            guard let prompt = prompts.first(where: { $0.kind == item.kind })?.prompt else { return }
            let exchanges: [(question: String, answer: String)]
            if item.kind == "detail" {
                var generator = RandomGenerator(seed: plan.seed, stream: item.record.id)
                let question = Self.detailQuestions[generator.below(Self.detailQuestions.count)]
                exchanges = [(question, completion.text.stripped)]
            } else {
                exchanges = Self.exchanges(in: completion.text)
            }
            guard let first = exchanges.first, !first.answer.isEmpty else {
                return try sink.reject("no question and answer", completion.text, request: item.digest)
            }
            // The answers are to read as if the picture had been seen.
            for words in ["caption", "bounding box", "coordinates", "the description"]
            where exchanges.contains(where: { "\($0.question) \($0.answer)".lowercased().contains(words) }) {
                return try sink.reject("mentions \(words)", completion.text, request: item.digest)
            }
            try sink.emit(
                item.record.with(exchanges, suffix: "-" + item.kind), prompt: prompt.digest, requests: [item.digest],
                sources: [item.record.id])
        }
    }

    /// Captions are a record's answers and its `captions`; boxes are its `objects`, as COCO's converters keep them.
    private static func context(of record: InstructionRecord) -> [String: JSON] {
        let converted = ConvertedRecord(record)
        var captions = record.metadata["captions"]?.array?.compactMap(\.string) ?? []
        for exchange in converted.exchanges
        where exchange.task?.hasPrefix("captioning") ?? (captions.isEmpty && exchange.answer.utf8.count > 12) {
            for caption in exchange.references where !captions.contains(caption) { captions.append(caption) }
        }
        let boxes = record.metadata["objects"]?.array?.compactMap(\.string) ?? []
        return ["captions": .array(captions.map { .string($0) }), "boxes": .array(boxes.map { .string($0) })]
    }

    /// `Question:` … `===` `Answer:` … `===`, as the prompts ask for.
    static func exchanges(in text: String) -> [(question: String, answer: String)] {
        let parts = text.pieces(at: "===").map(\.stripped).filter { !$0.isEmpty }
        var exchanges: [(question: String, answer: String)] = []
        var question: String?
        for part in parts {
            if let asked = tail(part, "Question:") {
                question = asked
            } else if let answer = tail(part, "Answer:"), let asked = question, !asked.isEmpty, !answer.isEmpty {
                exchanges.append((asked, answer))
                question = nil
            }
        }
        return exchanges
    }

    private static func tail(_ text: String, _ mark: String) -> String? {
        text.hasPrefix(mark) ? String(text.dropFirst(mark.count)).stripped : nil
    }
}
