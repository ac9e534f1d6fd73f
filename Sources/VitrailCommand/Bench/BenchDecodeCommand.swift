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

            The floor of a step is reading all weights of the decoder, and the keys and values so far, from memory once; that of the
            prompt is all of its matrix products by themselves. Both are measured before and behind each generation, and a time
            is held against those beside it: memory and cores do not give the same from one second to the next.
            """)

    @Option(help: "Model shape: smol or tiny.")
    var preset = PresetOption.smol

    @Option(help: ArgumentHelp("Sequences side by side.", valueName: "n"))
    var batch = 1

    @Option(help: ArgumentHelp("Text tokens of a prompt.", valueName: "n"))
    var prompt = 60

    @Option(help: ArgumentHelp("New tokens of each sequence.", valueName: "n"))
    var tokens = 64

    @Option(help: ArgumentHelp("Generations that are timed, after one of warm-up.", valueName: "n"))
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
            visionStorage: quantization.visionStorage(beside: storage, on: backend), on: backend)
        benchmark.warmUp(tokens: tokens)
        // Before the floors take memory of their own.
        let peak = ProcessMemory.peakBytes
        let probe = MemoryProbe(of: backend)
        let result = benchmark.run(tokens: tokens, repeats: repeats, bandwidth: { probe.bandwidth() })
        let (floor, promptFloor) = (result.stepFloor.floorSeconds, result.promptFloor.floorSeconds)
        let bandwidth = result.bytesPerStep / floor
        let parts = profile ? benchmark.profile(tokens: tokens) : []
        let weights = storage?.rawValue ?? "float32"
        if json {
            var object: JSONObject = [
                "preset": .string(preset.rawValue), "weights": .string(weights), "batch": .int(batch),
                "threads": .int(backend.threads), "prompt_s": .number(result.promptSeconds),
                "prompt_tokens_per_second": .number(Double(result.promptTokens) / result.promptSeconds),
                "step_s": .number(result.stepSeconds), "tokens_per_second": .number(result.tokensPerSecond),
                "floor_s": .number(floor), "over_floor": .number(result.stepFloor.overFloor),
                "over_floors": .array(result.stepFloor.overFloors.map { .number($0) }),
                "bandwidth_share": .number(1 / result.stepFloor.overFloor),
                "prompt_floor_s": .number(promptFloor), "prompt_over_floor": .number(result.promptFloor.overFloor),
                "sequences_per_second_at_floor": .number(Double(batch) / (promptFloor + Double(tokens - 1) * floor)),
                "peak_rss_gb": .number(Double(peak) / 1e9),
                "limits": ["read_bytes_per_second": .number(bandwidth)],
            ]
            if profile { object["profile_s"] = .object(JSONObject(parts.map { ($0.name, .number($0.seconds)) })) }
            Console.out(JSON.object(object).serialized())
            return
        }
        Console.out(
            "\(preset.rawValue), \(weights) weights, batch \(batch), \(backend.threads.counted("thread")): prompt of "
                + "\(result.promptTokens.counted("token")) \(Formatting.decimal(result.promptSeconds * 1e3, 1)) ms, "
                + "then \(Formatting.decimal(result.tokensPerSecond, 1)) tokens/s")
        Console.out(
            "a step takes \(Formatting.decimal(result.stepSeconds * 1e3, 2)) ms; reading its "
                + "\(Formatting.decimal(result.bytesPerStep * 1e-6, 1)) MB at "
                + "\(Formatting.decimal(bandwidth * 1e-9, 1)) GB/s takes \(Formatting.decimal(floor * 1e3, 2)) ms: "
                + "\(Formatting.decimal(100 / result.stepFloor.overFloor, 0)) % of the bandwidth")
        Console.out(
            "all products of the prompt alone take \(Formatting.decimal(promptFloor * 1e3, 1)) ms; the prompt is "
                + "\(Formatting.decimal(result.promptFloor.overFloor, 2)) times that")
        if profile {
            Console.out("")
            ProfileTable.show(parts)
        }
    }
}
