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

    @Option(help: ArgumentHelp("Seed of the draws.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(
        name: .customLong("stop"), help: ArgumentHelp("Text that ends an answer; may be repeated.", valueName: "text"))
    var stopStrings: [String] = []

    @Option(help: "Chat template instead of the model's own: plain, vicuna_v1, chatml, llama_2, llama_3.")
    var template: String?

    @Option(help: ArgumentHelp("Prompts generated side by side.", valueName: "n"))
    var batch = 16

    func validate() throws {
        func check(_ condition: Bool, _ text: String) throws { if !condition { throw ValidationError(text) } }
        try check(maxNewTokens > 0, "--max-new-tokens must be at least 1.")
        try check(temperature >= 0 && temperature.isFinite, "--temperature must be 0 or more.")
        try check(topK >= 0, "--top-k must be 0 or more.")
        try check(topP > 0 && topP <= 1, "--top-p must be above 0 and at most 1.")
        try check(minP >= 0 && minP < 1, "--min-p must be at least 0 and below 1.")
        try check(repetitionPenalty > 0 && repetitionPenalty.isFinite, "--repetition-penalty must be above 0.")
        try check((1...64).contains(beams), "--beams must be from 1 to 64.")
        try check((1...4_096).contains(batch), "--batch must be from 1 to 4096.")
        try check(beams == 1 || temperature == 0, "--beams and --temperature exclude each other.")
    }

    var settings: GenerationSettings {
        GenerationSettings(
            maximumNewTokens: maxNewTokens, temperature: temperature, topK: topK, topP: topP, minP: minP,
            repetitionPenalty: repetitionPenalty, beams: beams, seed: seed)
    }
}
