import ArgumentParser
import Basics
import CPUBackend
import Training

/// `vitrail bench step`.
struct BenchStepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Time a training step on random data.",
        discussion: """
            EXAMPLES
              vitrail bench step --preset smol --batch 4 --text 60
              vitrail bench step --preset tiny --batch 64 --text 24 --precision bfloat16 --json
              vitrail bench step --method qlora --part language        a tuning method of vitrail estimate

            The floor of a step is all of its matrix products by themselves. They run before and behind each timed step, and a step
            is held against those beside it, since cores do not give the same from one second to the next.
            All threads are in each product, and in each kernel of the table of where the time goes, also where the step itself takes a
            small model's batch in parts, one a thread.
            """)

    @Option(help: "Model shape: smol or tiny.")
    var preset = PresetOption.smol

    @Option(help: ArgumentHelp("Conversations a step.", valueName: "n"))
    var batch = 4

    @Option(help: ArgumentHelp("Text tokens after the picture's.", valueName: "n"))
    var text = 60

    @Option(help: "What is trained: full or projector.")
    var stage = ScopeOption.full

    @Option(help: ArgumentHelp("Tuning method instead of --stage, as in vitrail estimate.", valueName: "name"))
    var method: String?

    @Option(help: ArgumentHelp("Part or pattern that --method tunes; '*' for all.", valueName: "part"))
    var part = "language"

    @Option(help: ArgumentHelp("Timed steps, after two of warm-up.", valueName: "n"))
    var steps = 5

    @Flag(help: "Compute activations again in the backward pass.")
    var recompute = false

    @Flag(help: "Read the frozen tower's features from disk, as cache_features does from the second epoch on.")
    var cacheFeatures = false

    @Flag(inversion: .prefixedNo, help: "Measure where the time goes, and the floor, in turn with the steps.")
    var floor = true

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        try (1...4_096).check(batch, "--batch")
        try (2...65_536).check(text, "--text")
        try OptionRange.repeats.check(steps, "--steps")
        if method == nil, part != "language" { throw ValidationError("--part goes with --method.") }
        if cacheFeatures && (stage == .full || method != nil) {
            throw ValidationError("--cache-features wants a frozen tower: --stage projector.")
        }
    }

    func run() throws {
        let backend = runtime.backend()
        let benchmark =
            try method.map {
                try StepBenchmark(
                    preset.preset, batch: batch, textTokens: text, method: $0, part: part, recomputes: recompute,
                    on: backend)
            }
            ?? StepBenchmark(
                preset.preset, batch: batch, textTokens: text, scope: stage == .full ? .full : .projector,
                recomputes: recompute, on: backend)
        let features = cacheFeatures ? try Files.makeTemporaryDirectory() : nil
        defer { if let features { try? Files.remove(features) } }
        if let features { try benchmark.cacheFeatures(in: features) }
        benchmark.warmUp()
        // Before the floor's products take memory of their own.
        let (peak, tensors) = (ProcessMemory.peakBytes, backend.peakBytes)
        let result = benchmark.run(steps: steps, withFloor: floor)
        if json {
            Console.out(JSON.object(object(result, peak: peak, tensors: tensors, backend)).serialized())
        } else {
            show(result, peak: peak, backend)
        }
    }

    private func object(
        _ result: StepBenchmark.Result, peak: Int, tensors: Int, _ backend: CPUBackend
    ) -> JSONObject {
        var object: JSONObject = [
            "preset": .string(preset.rawValue), "dtype": .string(backend.products.rawValue),
            "stage": .string(method ?? stage.rawValue), "batch": .int(batch), "threads": .int(backend.threads),
            "parameters": .int(result.parameters), "trained_parameters": .int(result.trainable),
            "tensor_peak_bytes": .int(tensors), "step_s": .number(result.stepSeconds),
            "tokens_per_second": .number(Double(result.tokens) / result.stepSeconds),
            "peak_rss_gb": .number(Double(peak) / 1e9), "loss": .number(result.loss),
        ]
        if result.coded.weights > 0 {
            object["coded_weights"] = .int(result.coded.weights)
            object["coded_bytes"] = .int(result.coded.bytes)
        }
        guard let floor = result.floor else { return object }
        for (key, value) in FloorFacts.json(floor, result.productOperations) { object[key] = value }
        object["profile_s"] = .object(JSONObject(result.profile.map { ($0.name, .number($0.seconds)) }))
        return object
    }

    private func show(
        _ result: StepBenchmark.Result, peak: Int, _ backend: CPUBackend
    ) {
        let rate = Int(Double(result.tokens) / result.stepSeconds)
        Console.out(
            "\(preset.rawValue), \(method ?? stage.rawValue) step, \(backend.products.rawValue), \(backend.threads.counted("thread")): "
                + "\(Formatting.decimal(result.stepSeconds * 1e3, 1)) ms, \(Formatting.count(rate)) tokens/s, "
                + "peak memory \(Formatting.bytes(peak))")
        if let line = Formatting.coded(result.coded) { Console.out(line) }
        guard let floor = result.floor else { return }
        Console.out(FloorFacts.text(floor, result.productOperations, of: "step") + "\n")
        ProfileTable.show(result.profile)
    }
}

/// What a measured step trains, by name.
enum ScopeOption: String, ExpressibleByArgument, CaseIterable {
    case full, projector
}
