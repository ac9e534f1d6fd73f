import ArgumentParser
import Basics
import CPUBackend
import Training
import VisionLanguage

/// `vitrail bench decode`.
struct BenchDecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Time the prompt and the tokens after it, on random weights.",
        discussion: """
            EXAMPLES
              vitrail bench decode --precision bfloat16
              vitrail bench decode --quantize q4 --batch 16 --tokens 128 --json
              vitrail bench decode --no-picture --prompt 256 --precision bfloat16

            The floor of a step is reading all weights of the decoder, and the keys and values so far, from memory once.
            """)

    @Option(help: "Model shape: smol or tiny.")
    var preset = PresetOption.smol

    @Option(help: ArgumentHelp("Sequences side by side.", valueName: "n"))
    var batch = 1

    @Option(help: ArgumentHelp("Text tokens of a prompt.", valueName: "n"))
    var prompt = 60

    @Option(help: ArgumentHelp("New tokens of each sequence.", valueName: "n"))
    var tokens = 64

    @Option(help: ArgumentHelp("Generations that are timed, after a short one of warm-up.", valueName: "n"))
    var repeats = 5

    @Flag(inversion: .prefixedNo, help: "Put a picture in front of each prompt.")
    var picture = true

    @Flag(help: "Show where the time of a step goes.")
    var profile = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var quantization: QuantizeOptions
    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        try (1...1_024).check(batch, "--batch")
        try (1...1_700).check(prompt, "--prompt")
        try (2...1_700).check(tokens, "--tokens")
        try OptionRange.repeats.check(repeats, "--repeats")
        guard prompt + tokens < 1_800 else {
            throw ValidationError("--prompt and --tokens must be below 1800 together.")
        }
    }

    func run() throws {
        let backend = quantization.backend(runtime)
        let storage = quantization.storage(on: backend)
        let benchmark = DecodeBenchmark(
            preset.preset, batch: batch, textTokens: prompt, hasPicture: picture, storage: storage,
            profiles: profile, on: backend)
        let result = benchmark.run(tokens: tokens, repeats: repeats)
        let peak = ProcessMemory.peakBytes
        let limits = MachineLimits(of: backend, precisions: [])
        let floor = limits.floor(operations: 0, bytes: result.bytesPerStep)
        let parts = profile ? benchmark.profile(tokens: tokens) : []
        let weights = storage?.rawValue ?? "float32"
        if json {
            var object: JSONObject = [
                "preset": .string(preset.rawValue), "weights": .string(weights), "batch": .int(batch),
                "threads": .int(backend.threads), "prompt_s": .number(result.promptSeconds),
                "prompt_tokens_per_second": .number(Double(result.promptTokens) / result.promptSeconds),
                "step_s": .number(result.stepSeconds), "tokens_per_second": .number(result.tokensPerSecond),
                "floor_s": .number(floor), "over_floor": .number(result.stepSeconds / floor),
                "bandwidth_share": .number(floor / result.stepSeconds), "peak_rss_gb": .number(Double(peak) / 1e9),
                "limits": .object(LimitFacts.json(limits)),
            ]
            if profile { object["profile_s"] = .object(JSONObject(parts.map { ($0.name, .number($0.seconds)) })) }
            Console.out(JSON.object(object).serialized())
            return
        }
        Console.out(
            "\(preset.rawValue), \(weights) weights, batch \(batch), \(backend.threads) threads: prompt of "
                + "\(Formatting.count(result.promptTokens)) tokens \(Formatting.decimal(result.promptSeconds * 1e3, 1)) ms, "
                + "then \(Formatting.decimal(result.tokensPerSecond, 1)) tokens/s")
        Console.out(
            "a step takes \(Formatting.decimal(result.stepSeconds * 1e3, 2)) ms; reading its "
                + "\(Formatting.decimal(result.bytesPerStep * 1e-6, 1)) MB at "
                + "\(Formatting.decimal(limits.readBandwidth * 1e-9, 1)) GB/s takes \(Formatting.decimal(floor * 1e3, 2)) ms: "
                + "\(Formatting.decimal(100 * floor / result.stepSeconds, 0)) % of the bandwidth")
        if profile {
            Console.out("")
            ProfileTable.show(parts)
        }
    }
}
