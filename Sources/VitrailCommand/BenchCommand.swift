import ArgumentParser
import Basics
import CPUBackend
import Training
import VisionLanguage

/// `vitrail bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine: training steps now; kernels, decoding and pictures beside them.",
        subcommands: [BenchStepCommand.self])
}

/// `vitrail bench step`.
struct BenchStepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Time a training step on random data.",
        discussion: """
            EXAMPLES
              vitrail bench step --preset smol --batch 4 --text 60
              vitrail bench step --preset tiny --batch 64 --text 24 --precision bfloat16 --json
              vitrail bench step --method qlora --part language        a tuning method of vitrail estimate
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

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        guard batch > 0, text > 1, steps > 0 else {
            throw ValidationError("--batch and --steps must be at least 1, --text at least 2.")
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
        let result = benchmark.run(steps: steps)
        let rate = Double(result.tokens) / result.stepSeconds
        let peak = ProcessMemory.peakBytes
        let what = method ?? stage.rawValue
        if json {
            let object: JSON = [
                "preset": .string(preset.rawValue), "dtype": .string(backend.products.rawValue),
                "stage": .string(what), "batch": .int(batch), "threads": .int(backend.threads),
                "parameters": .int(result.parameters), "trained_parameters": .int(result.trainable),
                "tensor_peak_bytes": .int(backend.peakBytes), "step_s": .number(result.stepSeconds),
                "tokens_per_second": .number(rate), "peak_rss_gb": .number(Double(peak) / 1e9),
                "loss": .number(result.loss),
            ]
            Console.out(object.serialized())
        } else {
            Console.out(
                "\(preset.rawValue), \(what) step, \(backend.products.rawValue), \(backend.threads) threads: "
                    + "\(Formatting.decimal(result.stepSeconds * 1e3, 1)) ms, \(Formatting.count(Int(rate))) tokens/s, "
                    + "peak memory \(Formatting.bytes(peak))")
        }
    }
}

/// A preset by name.
enum PresetOption: String, ExpressibleByArgument, CaseIterable {
    case smol, tiny

    var preset: ModelPreset { self == .smol ? .smol : .tiny }
}

/// What a measured step trains, by name.
enum ScopeOption: String, ExpressibleByArgument, CaseIterable {
    case full, projector
}
