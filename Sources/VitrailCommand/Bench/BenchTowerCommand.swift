import ArgumentParser
import Basics
import CPUBackend
import Training
import VisionLanguage

/// `vitrail bench tower`.
struct BenchTowerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tower", abstract: "Time the vision tower and projector without gradients.",
        discussion: """
            EXAMPLES
              vitrail bench tower --batch 16
              vitrail bench tower --precision bfloat16 --json

            The floor is all matrix products of the pass by themselves, in turn with the passes.
            """)

    @Option(help: "Model shape: smol or tiny.")
    var preset = PresetOption.smol

    @Option(help: ArgumentHelp("Pictures of a pass.", valueName: "n"))
    var batch = 16

    @Option(help: ArgumentHelp("Passes that are timed, after one of warm-up.", valueName: "n"))
    var passes = 5

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        try (1...4_096).check(batch, "--batch")
        try OptionRange.repeats.check(passes, "--passes")
    }

    func run() throws {
        let backend = runtime.backend()
        let storage = backend.products == .bfloat16 ? "bfloat16" : "float32"
        let benchmark = TowerBenchmark(
            preset.preset, batch: batch, storage: backend.products == .bfloat16 ? .bfloat16 : nil, on: backend)
        let result = benchmark.run(passes: passes)
        let seconds = result.seconds
        let rate = Double(batch) / seconds
        if json {
            var object: JSONObject = [
                "preset": .string(preset.rawValue), "weights": .string(storage), "batch": .int(batch),
                "threads": .int(backend.threads), "pass_s": .number(seconds), "pictures_per_second": .number(rate),
            ]
            for (key, value) in FloorFacts.json(result.floor, result.productOperations) { object[key] = value }
            Console.out(JSON.object(object).serialized())
        } else {
            Console.out(
                "\(preset.rawValue) tower, \(storage), batch \(batch), \(backend.threads.counted("thread")): "
                    + "\(Formatting.decimal(seconds * 1e3, 1)) ms, \(Formatting.decimal(rate, 1)) pictures/s")
            Console.out(FloorFacts.text(result.floor, result.productOperations, of: "pass"))
        }
    }
}
