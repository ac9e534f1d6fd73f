import Basics
import TensorCore
public import VisionLanguage

/// Runs the stages of a recipe, one after another, so that it can be stopped at any moment and continued to the same bits.
public final class Trainer {
    /// How a run ended.
    public enum Outcome: Sendable {
        /// All stages are done; the model is in the folder's `final`.
        case finished
        /// Asked to stop; a checkpoint is saved.
        case interrupted(checkpoint: String)
    }

    /// Measures answers during training: the model, the stage's settings → metrics by name.
    public typealias AnswerEvaluation = (ModelBundle, EvaluationRecipe) throws -> [(name: String, value: Double)]

    let recipe: Recipe
    let bundle: ModelBundle
    let folder: RunFolder
    let workers: Int
    let observe: (TrainingEvent) -> TrainingControl
    let evaluateAnswers: AnswerEvaluation?
    private var summaries: [StageSummary] = []

    /// - Parameters:
    ///   - bundle: the model to train: the recipe's, or on a resume the last checkpoint's.
    ///   - workers: threads that decode and tokenise ahead.
    ///   - evaluateAnswers: generates answers and measures them; nil measures the loss only.
    ///   - observe: told of everything; decides after each step whether to go on.
    public init(
        _ recipe: Recipe, bundle: ModelBundle, folder: RunFolder, workers: Int,
        evaluateAnswers: AnswerEvaluation? = nil, observe: @escaping (TrainingEvent) -> TrainingControl
    ) {
        self.recipe = recipe
        self.bundle = bundle
        self.folder = folder
        self.workers = workers
        self.evaluateAnswers = evaluateAnswers
        self.observe = observe
        if let prompt = recipe.captionPrompt { bundle.captionPrompt = prompt }
    }

    /// Runs all stages from where the last checkpoint stands, or from the start.
    ///
    /// - Throws: whatever ends the run. Where nothing was trained, as with data that cannot be used, no folder is left, so that the same
    ///   call works when the reason is gone.
    public func run(resuming checkpoint: ResumePoint? = nil) throws -> Outcome {
        try requireFiles(from: checkpoint?.state.stage ?? 0)
        try requireEvaluations(from: checkpoint?.state.stage ?? 0)
        let isNew = folder.isEmpty
        do {
            return try runStages(resuming: checkpoint)
        } catch {
            if isNew { folder.removeUntrained() }
            throw error
        }
    }

    private func runStages(resuming checkpoint: ResumePoint?) throws -> Outcome {
        try Files.createDirectory(folder.path)
        try checkpoint?.check(recipe, of: folder)
        // Before anything is written: the run holds this file, and with it the folder, until it ends or its process does.
        let metrics = try AppendFile(
            folder.metrics,
            held: UserError(
                "\(folder.path): another process is at work on this run",
                fix: "wait until it ends, or stop it with Ctrl-C where it runs"))
        defer { try? metrics.close() }
        try checkpoint?.requireNewest(recipe, of: folder)
        try Files.write(recipe.complete, to: folder.recipe)
        let threads = bundle.model.backend.threads
        if let before = checkpoint?.state.threads, before != threads {
            _ = observe(
                .note(
                    "The run had \(before.counted("thread")) so far and goes on with \(threads): sums round differently, so its weights "
                        + "will be near those of an uninterrupted run, not equal to them."))
        }
        summaries = try RunSummary.finishedStages(in: folder)
        let first = checkpoint?.state.stage ?? 0
        summaries.removeAll { summary in !recipe.stages.prefix(first).contains { $0.name == summary.name } }
        // Lines of steps that the checkpoint does not know of go; they will be done again.
        try metrics.trim(to: checkpoint?.state.metricsBytes ?? 0)
        try trimLog(folder.evaluations, to: checkpoint?.state.evaluationBytes ?? 0)
        try trimLog(folder.rejections, to: checkpoint.map { $0.state.rejectionBytes ?? .max } ?? 0)

        for index in first..<recipe.stages.count {
            let run = try StageRun(self, index, from: index == first ? checkpoint : nil, metrics)
            if let path = try run.untilStopped() { return .interrupted(checkpoint: path) }
            summaries.append(try run.complete())
            try RunSummary.write(summaries, recipe: recipe, bundle: bundle, to: folder)
            _ = observe(.stageFinished(summaries.last!))
        }
        try RunSummary.write(summaries, recipe: recipe, bundle: bundle, to: folder)
        try writeFinal()
        if Files.exists(folder.features) { try Files.remove(folder.features) }
        return .finished
    }

    /// What a stage does with its data.
    static func task(_ stage: StageRecipe, _ context: StageContext, from position: Int = 0) throws -> any StageTask {
        switch stage.objective {
        case .instruct: try InstructTask(stage, context, from: position)
        case .language: try LanguageTask(stage, context, from: position)
        case .contrastive: try ContrastiveTask(stage, context, from: position)
        }
    }
}
