import ArgumentParser
import Basics
import CPUBackend
import Training
import VisionLanguage

/// `vitrail estimate`.
struct EstimateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "estimate",
        abstract:
            "Say what a recipe's stages will take, or one of them with each tuning method: weights, memory by part, time.",
        discussion: """
            EXAMPLES
              vitrail estimate Models/pebble/recipe.yaml                    every stage as it is written
              vitrail estimate Models/pebble/recipe.yaml --methods all
              vitrail estimate recipe.yaml --methods recipe,lora,qlora,full+lomo --memory 2 --json

            Each stage or method runs a few steps on the stage's own data, in a process of its own; nothing is kept. "all" is the most
            that a run takes: weights, gradients, optimizer, activations, pictures kept in memory, and the rest of the process. "time" is that of
            all steps of the stage; evaluations come on top.
            """)

    @Argument(help: "The recipe, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
    var recipe: String

    @Option(
        help: ArgumentHelp(
            "Methods for one stage, separated by commas, or all; recipe is every stage as it is written.",
            valueName: "names"))
    var methods = "recipe"

    @Option(help: ArgumentHelp("Part or pattern that the methods tune (default: language).", valueName: "part"))
    var part: String?

    @Option(help: ArgumentHelp("The stage; the last by default.", valueName: "name"))
    var stage: String?

    @Option(help: ArgumentHelp("Timed steps a method, after one of warm-up.", valueName: "n"))
    var steps = 3

    @Option(help: ArgumentHelp("Name the fastest method that fits this much memory, in GiB.", valueName: "GiB"))
    var memory: Double?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Change a value of the recipe; may be repeated.", valueName: "key=value"))
    var overrides: [String] = []

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @Option(help: ArgumentHelp("Measure in this process, which writes here.", visibility: .hidden))
    var alone: String?

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if part != nil, methods == "recipe" {
            throw ValidationError("--part goes with --methods; a stage as it is written trains what it says.")
        }
        try OptionRange.repeats.check(steps, "--steps")
        try (0.001...1_048_576).check(memory, "--memory")
    }

    func run() throws {
        let recipe = try Recipe.read(self.recipe, overrides: overrides)
        let names = try MethodEstimator.chosen(
            methods.split(separator: ",").map { String($0.drop { $0 == " " }) })
        if let alone {
            // It is removed in the end, with what is in it.
            guard try !Files.exists(alone) || Files.list(alone).isEmpty else {
                throw UserError(
                    "--alone \(alone): the folder is not empty", fix: "leave --alone out: it is this command's own")
            }
            ChildProcess.endWithParent(removing: alone)
            return try names.forEach { Console.out(try measured(recipe, $0, in: alone).json.serialized()) }
        }
        // Before the folder is there, which would stay otherwise.
        Interruption.listen()
        let scratch = try Files.makeTemporaryDirectory()
        defer { try? Files.remove(scratch) }
        if let stage { _ = try recipe.index(ofStage: stage) }
        var estimates: [MethodEstimate] = []
        let stages = stage == nil && names == ["recipe"] ? recipe.stages.map { Optional($0.name) } : [stage]
        for stage in stages {
            for name in names {
                if !json { Console.status("  measuring \(stages.count > 1 ? stage ?? name : name)") }
                var estimate = try elsewhere(name, stage: stage, scratch)
                if json {
                    var line = estimate.json.object ?? [:]
                    if let stage { line["stage"] = .string(stage) }
                    Console.out(JSON.object(line).serialized())
                }
                if name == "recipe", let stage { estimate.name = stage }
                estimates.append(estimate)
            }
        }
        let fitting = memory.flatMap { limit in
            estimates.filter { $0.obstacle == nil && Double($0.bytes) <= limit * 1_073_741_824 }
                .min { $0.stepSeconds < $1.stepSeconds }
        }
        let isFailed = estimates.allSatisfy { $0.obstacle != nil }
        if json {
            if isFailed { throw ExitCode(ExitStatus.failed) }
            guard memory != nil else { return }
            let object: JSON = ["fastest_that_fits": fitting.map { .string($0.name) } ?? .null]
            return Console.out(object.serialized())
        }
        show(estimates)
        if isFailed { throw ExitCode(ExitStatus.failed) }
        if let memory {
            let limit = Formatting.decimal(memory, 1)
            Console.out(
                fitting.map { "Fastest in \(limit) GiB: \($0.name)" }
                    ?? "None fits \(limit) GiB; lower batch_size, or set recompute_activations: true.")
        }
    }

    private func measured(_ recipe: Recipe, _ name: String, in scratch: String) throws -> MethodEstimate {
        let backend = runtime.backend(
            threads: recipe.threads, precision: recipe.precision == .float32 ? .float32 : .bfloat16)
        let meter = MemoryMeter(
            used: { backend.usedBytes }, peak: { backend.peakBytes }, reset: { backend.resetPeakBytes() })
        let estimator = try MethodEstimator(recipe, stage: stage, meter: meter, scratch: scratch) {
            try recipe.makeModel(on: backend)
        }
        return try estimator.estimate(name, part: part ?? "language", steps: steps)
    }

    /// Measures in a process of its own, whose peak is that of this method.
    private func elsewhere(_ name: String, stage: String?, _ scratch: String) throws -> MethodEstimate {
        var words = ["estimate", recipe, "--methods", name, "--steps", String(steps), "--alone", scratch]
        if let part, name != "recipe" { words += ["--part", part] }
        if let stage { words += ["--stage", stage] }
        words += overrides.flatMap { ["--set", $0] }
        words += runtime.words
        let (output, status) = try ChildProcess.output(words)
        if status.isInterrupted { throw RunStopped() }
        guard status.code == 0, let line = output.split(separator: "\n").last,
            let json = try? JSON.parse(String(line), source: "estimate")
        else {
            var failed = MethodEstimate(name: name)
            failed.obstacle = status.code == nil ? "ended by the system: out of memory" : "failed; the reason is above"
            return failed
        }
        return MethodEstimate(json: json)
    }

    private func show(_ estimates: [MethodEstimate]) {
        var rows = [
            [
                "method", "trained", "share", "weights", "gradients", "optimizer", "activations", "pictures", "process",
                "all", "ms a step", "steps", "time",
            ]
        ]
        for estimate in estimates where estimate.obstacle == nil {
            let share = 100 * Double(estimate.trainable) / Double(max(1, estimate.parameters))
            rows.append(
                [estimate.name, Formatting.count(estimate.trainable), Formatting.decimal(share, 2) + " %"]
                    + [
                        estimate.weightBytes, estimate.gradientBytes, estimate.optimizerBytes, estimate.activationBytes,
                        estimate.pictureBytes, estimate.processBytes, estimate.bytes,
                    ].map { Formatting.bytes($0) } + [
                        Formatting.decimal(estimate.stepSeconds * 1e3, 1), Formatting.count(estimate.totalSteps),
                        Formatting.duration(estimate.runSeconds),
                    ])
        }
        if rows.count > 1 { Console.table(rows, to: Console.out) }
        for estimate in estimates {
            if let obstacle = estimate.obstacle { Console.error("\(estimate.name): \(obstacle)") }
        }
    }
}
