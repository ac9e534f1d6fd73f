import ArgumentParser
import Basics
import CPUBackend
import Training
import VisionLanguage

/// `vitrail train`.
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Run the stages of a recipe: projector first, then everything, or any other list.",
        discussion: """
            EXAMPLES
              vitrail train Models/pebble/recipe.yaml
              vitrail train recipe.yaml --set stages.align.batch_size=16 --output runs/small
              vitrail train recipe.yaml --stages instruct --output runs/without-align
              vitrail train recipe.yaml --dry-run      check everything and print what would be trained
              vitrail train recipe.yaml --resume       go on after Ctrl-C, a crash or a kill, to the same bits
            """)

    @Argument(help: "The recipe, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
    var recipe: String

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Change a value of the recipe; may be repeated.", valueName: "key=value"))
    var overrides: [String] = []

    @Option(help: ArgumentHelp("Run only these stages, separated by commas.", valueName: "names"))
    var stages: String?

    @Option(
        help: ArgumentHelp("Where the run's files go (default: runs/<recipe's folder or name>).", valueName: "folder"))
    var output: String?

    @Flag(help: "Continue the run in the output folder from its last checkpoint.")
    var resume = false

    @Flag(help: "Check recipe, model and data, print the plan, and train nothing.")
    var dryRun = false

    @Flag(help: "Print one JSON object a line instead of text.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func run() throws {
        // A precision given here is the recipe's from now on: the run folder tells it, and a resumed run must have it too.
        let precision = runtime.precision.map { ["precision=\($0.rawValue)"] } ?? []
        let recipe = try Recipe.read(
            self.recipe, overrides: overrides + precision, stages: stages?.split(separator: ",").map(String.init))
        try AnswerMetrics.check(recipe)
        let folder = RunFolder(output ?? recipe.output ?? defaultOutput)
        if folder.isFinished && !dryRun {
            guard resume else { throw occupied(folder) }
            try ResumePoint.find(in: folder, recipe: recipe)?.check(recipe, of: folder)
            Console.error("This run is finished: \(folder.final)")
            // It may have been killed just before.
            if !Files.exists(folder.report) {
                let backend = runtime.backend(
                    threads: recipe.threads, precision: recipe.precision == .float32 ? .float32 : .bfloat16)
                try report(recipe, folder, AdapterOptions.open(folder.final, on: backend))
            }
            return
        }
        if !resume && !dryRun && !folder.isEmpty { throw occupied(folder) }
        let point = resume ? try ResumePoint.find(in: folder, recipe: recipe) : nil
        let backend = runtime.backend(
            threads: recipe.threads ?? point?.threads, precision: recipe.precision == .float32 ? .float32 : .bfloat16)
        if resume {
            Console.error(
                point.map { "Continuing from \($0.description)." } ?? "No checkpoint yet; starting from the beginning.")
        }
        let bundle = try point?.model(for: recipe, on: backend) ?? recipe.makeModel(on: backend)
        let progress = TrainingProgress(recipe, json: json)
        let trainer = Trainer(
            recipe, bundle: bundle, folder: folder, workers: 2, evaluateAnswers: AnswerMetrics.measure
        ) { event in
            progress.show(event)
            return Interruption.isRequested || Console.loss != nil ? .stop : .proceed
        }
        if dryRun {
            try trainer.check()
            Console.error("The recipe is sound. Nothing was trained.")
            return
        }
        Interruption.listen()
        // A log on a full disk must not cost the steps since the last checkpoint.
        Console.savesFirst = true
        switch try trainer.run(resuming: point) {
        case .finished:
            Console.error("Model:  \(folder.final)")
            try report(recipe, folder, bundle)
            Console.endWithoutOutput()
        case .interrupted(let checkpoint):
            Console.error("Stopped after a whole step; saved \(checkpoint).\nGo on with: \(again) --resume")
            Console.endWithoutOutput()
            throw ExitCode(ExitStatus.interrupted)
        }
    }

    /// Writes the report of a finished run, without answers where the questions cannot be asked any more.
    private func report(_ recipe: Recipe, _ folder: RunFolder, _ bundle: ModelBundle) throws {
        var samples: [ReportSample] = []
        do { samples = try AnswerMetrics.samples(recipe, bundle) } catch let problem as any Problem {
            Console.error("The report shows no answers: \(problem.problem)")
        }
        try TrainingReport.write(folder: folder, bundle: bundle, recipe: recipe, samples: samples)
        Console.error("Report: \(folder.report)")
    }

    /// `runs/pebble` for `Models/pebble/recipe.yaml`, `runs/small` for `small.yaml`.
    private var defaultOutput: String {
        let stem = Paths.stem(recipe)
        let parent = Paths.name(Paths.parent(recipe))
        return "runs/" + (stem == "recipe" && !parent.isEmpty && parent != "." ? parent : stem)
    }

    /// The call that goes on with this run, without `--resume`.
    private var again: String {
        var words = ["vitrail", "train", recipe]
        words += overrides.flatMap { ["--set", $0] }
        if let stages { words += ["--stages", stages] }
        if let output { words += ["--output", output] }
        return (words + runtime.words).map(ChildProcess.quoted).joined(separator: " ")
    }

    private func occupied(_ folder: RunFolder) -> UserError {
        guard Files.exists(folder.recipe) else {
            return UserError(
                "\(folder.path): something else is there already", fix: "name a new or an empty folder with --output")
        }
        return UserError(
            "\(folder.path): a run is there already",
            fix: "continue it with --resume, or name another folder with --output")
    }
}
