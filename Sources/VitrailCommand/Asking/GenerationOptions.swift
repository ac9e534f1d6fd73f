import ArgumentParser
import VisionLanguage

/// Options of every command that generates text.
struct GenerationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Longest answer in tokens.", valueName: "n"))
    var maxNewTokens = 64

    @Option(help: ArgumentHelp("0 takes the likeliest token; typical draws: 0.2 to 1.0.", valueName: "t"))
    var temperature = 0.0

    @Option(help: ArgumentHelp("Draw among the k likeliest tokens; 0 for all (typical: 20 to 100).", valueName: "k"))
    var topK = 0

    @Option(
        help: ArgumentHelp(
            "Draw among the likeliest tokens that together reach p; 1 for all (typical: 0.9).", valueName: "p"))
    var topP = 1.0

    @Option(
        help: ArgumentHelp(
            "Leave out tokens below this share of the likeliest; 0 for none (typical: 0.05).", valueName: "p"))
    var minP = 0.0

    @Option(help: ArgumentHelp("Make tokens that occurred less likely; 1 for none (typical: 1.1).", valueName: "r"))
    var repetitionPenalty = 1.0

    @Option(help: ArgumentHelp("Beams of beam search; 1 for none (typical: 4).", valueName: "n"))
    var beams = 1

    @Option(help: ArgumentHelp("Seed of the draws (default: 0).", valueName: "n"))
    var seed: UInt64?

    @Option(
        name: .customLong("stop"), help: ArgumentHelp("Text that ends an answer; may be repeated.", valueName: "text"))
    var stopStrings: [String] = []

    @Option(
        help: ArgumentHelp(
            "Chat template instead of the model's own: plain, vicuna_v1, chatml, llama_2, llama_3, paligemma, folder.",
            valueName: "name"))
    var template: String?

    @Option(help: ArgumentHelp("Prompts generated side by side (default: 16; of evaluate 64).", valueName: "n"))
    var batch: Int?

    /// Prompts generated side by side where nothing else is said.
    static let usualBatch = 16

    func validate() throws {
        try OptionRange.newTokens.check(maxNewTokens, "--max-new-tokens")
        try (0...1_000.0).check(temperature, "--temperature")
        try (0...1_000_000_000).check(topK, "--top-k")
        try (1e-6...1).check(topP, "--top-p")
        try (0...0.999).check(minP, "--min-p")
        try (0.001...1_000).check(repetitionPenalty, "--repetition-penalty")
        try (1...64).check(beams, "--beams")
        try (1...4_096).check(batch, "--batch")
        let draws = [("--top-k", topK > 0), ("--top-p", topP < 1), ("--min-p", minP > 0), ("--seed", seed != nil)]
        if temperature == 0, let (name, _) = draws.first(where: { $0.1 }) {
            throw ValidationError("\(name) goes with --temperature above 0; without one the likeliest token is taken.")
        }
        if stopStrings.contains("") { throw ValidationError("--stop is empty. Give a text that ends an answer.") }
        if beams > 1, temperature > 0 { throw ValidationError("--beams and --temperature exclude each other.") }
    }

    /// Refuses a question or prompt that asks nothing.
    static func requireWords(_ text: String?, _ option: String) throws(ValidationError) {
        guard let text, text.allSatisfy(\.isWhitespace) else { return }
        throw ValidationError("\(option) has no words. Write what the model is to be asked.")
    }

    var settings: GenerationSettings {
        GenerationSettings(
            maximumNewTokens: maxNewTokens, temperature: temperature, topK: topK, topP: topP, minP: minP,
            repetitionPenalty: repetitionPenalty, beams: beams, seed: seed ?? 0)
    }
}
