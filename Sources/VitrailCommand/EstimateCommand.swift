import ArgumentParser
import Basics
import CPUBackend
import Training
import VisionLanguage

/// `vitrail estimate`.
struct EstimateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "estimate",
        abstract: "Measure what a recipe's stage takes with each tuning method: weights, memory by part, time a step.",
        discussion: """
            EXAMPLES
              vitrail estimate Models/pebble/recipe.yaml --methods all
              vitrail estimate recipe.yaml --methods recipe,lora,qlora,full+lomo --memory 2 --json

            A few steps are run on the stage's own data; nothing is kept. Memory is that of tensors: the process itself, pictures decoded
            ahead, and the float32 weights while a model is opened come on top.
            """)

    @Argument(help: "The recipe, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
    var recipe: String

    @Option(help: ArgumentHelp("Methods, separated by commas, or all.", valueName: "names"))
    var methods = "all"

    @Option(help: ArgumentHelp("Part or pattern that the methods tune.", valueName: "part"))
    var part = "language"

    @Option(help: ArgumentHelp("The stage; the last by default.", valueName: "name"))
    var stage: String?

    @Option(help: ArgumentHelp("Timed steps a method, after one of warm-up.", valueName: "n"))
    var steps = 2

    @Option(help: ArgumentHelp("Name the fastest method that fits this much memory, in GiB.", valueName: "GiB"))
    var memory: Double?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Change a value of the recipe; may be repeated.", valueName: "key=value"))
    var overrides: [String] = []

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if steps < 1 { throw ValidationError("--steps must be at least 1.") }
    }

    func run() throws {
        let recipe = try Recipe.read(self.recipe, overrides: overrides)
        let backend = runtime.backend(
            threads: recipe.threads, precision: recipe.precision == .float32 ? .float32 : .bfloat16)
        let meter = MemoryMeter(
            used: { backend.usedBytes }, peak: { backend.peakBytes }, reset: { backend.resetPeakBytes() })
        let estimator = try MethodEstimator(recipe, stage: stage, meter: meter) { try recipe.makeModel(on: backend) }
        let names = methods.split(separator: ",").map { $0.trimmingSpaces }
        let estimates = try estimator.run(names, part: part, steps: steps) { estimate in
            if json { Console.out(estimate.json.serialized()) } else { Console.status("  measured \(estimate.name)") }
        }
        let measured = estimates.filter { $0.obstacle == nil }
        let fitting = memory.flatMap { limit in
            measured.filter { Double($0.bytes) <= limit * 1_073_741_824 }.min { $0.stepSeconds < $1.stepSeconds }
        }
        if json {
            if memory != nil {
                let object: JSON = ["fastest_that_fits": fitting.map { .string($0.name) } ?? .null]
                Console.out(object.serialized())
            }
            return
        }
        var rows = [
            ["method", "trained", "share", "weights", "gradients", "optimizer", "activations", "all", "ms a step"]
        ]
        for estimate in measured {
            let share = 100 * Double(estimate.trainable) / Double(max(1, estimate.parameters))
            rows.append([
                estimate.name, Formatting.count(estimate.trainable), Formatting.decimal(share, 2) + " %",
                Formatting.bytes(estimate.weightBytes), Formatting.bytes(estimate.gradientBytes),
                Formatting.bytes(estimate.optimizerBytes), Formatting.bytes(estimate.activationBytes),
                Formatting.bytes(estimate.bytes), Formatting.decimal(estimate.stepSeconds * 1e3, 1),
            ])
        }
        Console.table(rows, to: Console.out)
        for estimate in estimates {
            if let obstacle = estimate.obstacle { Console.error("\(estimate.name): \(obstacle)") }
        }
        if let memory {
            Console.out(
                fitting.map { "Fastest in \(Formatting.decimal(memory, 1)) GiB: \($0.name)" }
                    ?? "None fits \(Formatting.decimal(memory, 1)) GiB; lower batch_size, or set recompute_activations: true."
            )
        }
    }
}

extension Substring {
    /// The text without spaces around it.
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
