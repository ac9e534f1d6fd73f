public import Basics

/// A way to make instruction data with a model.
///
/// A strategy is plain code that asks in rounds: given the same answers it asks the same again, so that a run that was
/// killed goes through its journal to where it stopped.
public protocol GenerationStrategy: Sendable {
    /// The word on the command line.
    static var name: String { get }
    /// One line for help.
    static var summary: String { get }

    /// Choices of a plan that it looks at, beyond those of all strategies.
    static var choices: Set<GenerationChoice> { get }

    /// Why a part of the sources gives other records than the whole does; nil where each source is asked about alone.
    static var wholeOnly: String? { get }

    /// Reads and checks what it needs; nothing is asked yet.
    init(_ plan: GenerationPlan) throws

    /// Makes records.
    /// - Throws: `GenerationStopped` when asking ended early; what was emitted until then counts.
    func run(_ client: CompletionClient, into sink: GenerationSink, progress: (Int) -> Void) throws
}

extension GenerationStrategy {
    /// Each source is asked about alone.
    public static var wholeOnly: String? { nil }
}

/// A choice that only some strategies look at, by its option on the command line.
public enum GenerationChoice: String, CaseIterable, Sendable {
    /// Records or pictures.
    case data = "--data"
    /// Tasks, prompts or questions.
    case seeds = "--seeds"
    /// Which of its kinds to make.
    case kinds = "--kinds"
}

/// The known strategies.
public enum GenerationStrategies {
    /// One line a strategy.
    public static let all: [any GenerationStrategy.Type] = [
        SelfInstructStrategy.self, InstructWildStrategy.self, SelfChatStrategy.self, LLaVAStrategy.self,
        CaptionStrategy.self, RephraseStrategy.self, EvolveStrategy.self,
    ]

    /// The strategy of a word.
    /// - Throws: `UserError` that lists them.
    public static func strategy(named name: String) throws(UserError) -> any GenerationStrategy.Type {
        if let found = all.first(where: { $0.name == name }) { return found }
        let names = all.map { $0.name }
        throw UserError(
            "unknown strategy \"\(name)\"" + Suggestion.phrase(for: name, among: names),
            fix: "strategies: \(names.joined(separator: ", "))")
    }
}
