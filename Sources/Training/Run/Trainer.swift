import Basics
import NeuralNetwork
import TensorCore
import Tuning
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
    private let workers: Int
    let observe: (TrainingEvent) -> TrainingControl
    private let evaluateAnswers: AnswerEvaluation?
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
        try Files.write(recipe.complete, to: folder.recipe)
        let threads = bundle.model.backend.threads
        if let before = checkpoint?.state.threads, before != threads {
            _ = observe(
                .note(
                    "The run had \(before) threads so far and goes on with \(threads): sums round differently, so its weights "
                        + "will be near those of an uninterrupted run, not equal to them."))
        }
        summaries = try RunSummary.finishedStages(in: folder)
        let first = checkpoint?.state.stage ?? 0
        summaries.removeAll { summary in !recipe.stages.prefix(first).contains { $0.name == summary.name } }
        try trimLog(folder.metrics, to: checkpoint?.state.metricsBytes ?? 0)
        try trimLog(folder.evaluations, to: checkpoint?.state.evaluationBytes ?? 0)

        for index in first..<recipe.stages.count {
            let start = index == first ? checkpoint : nil
            if let path = try runStage(index, from: start) { return .interrupted(checkpoint: path) }
        }
        try RunSummary.write(summaries, recipe: recipe, bundle: bundle, to: folder)
        try writeFinal()
        if Files.exists(folder.features) { try Files.remove(folder.features) }
        return .finished
    }

    // MARK: One stage

    /// - Returns: the checkpoint's path when the stage was interrupted.
    private func runStage(_ index: Int, from checkpoint: ResumePoint?) throws -> String? {
        let stage = recipe.stages[index]
        // By name, so that a stage sees its data in the same order whichever stages run before it.
        var generator = RandomGenerator(seed: recipe.seed, stream: stage.name)
        let context = StageContext(bundle: bundle, seed: generator.next(), folder: folder, workers: workers)
        var state =
            try checkpoint?.state
            ?? TrainingState(
                stage: index, stageName: stage.name, recipeDigest: recipe.digest, metricsBytes: logSize(folder.metrics),
                evaluationBytes: logSize(folder.evaluations))
        let dataMark = try dataMark(stage)
        let hasOtherData = !state.isComplete && state.dataMark.map { $0 != dataMark } ?? false
        if hasOtherData {
            _ = observe(
                .note(
                    "The data of \(stage.name) is not what it was when the run stopped: it goes on at the same place "
                        + "of what is there now, and its weights will not be those of an uninterrupted run."))
        }
        state.dataMark = dataMark
        bundle.model.recomputesActivations = stage.recomputesActivations
        let task = try makeTask(stage, context, from: state.position)
        if hasOtherData, state.step >= task.totalSteps { throw nothingLeft(of: task, state, checkpoint) }
        var tree = bundle.model.parameters
        tree.append(task.extraParameters, under: "contrastive")
        let tuning = try StageTuning(stage, index, recipe, bundle, seed: context.seed, digest: state.baseDigest)
        defer { tuning?.finish() }
        state.baseDigest = tuning?.tuning.baseDigest
        try tuning?.divide(task, stage)
        let parts = try TrainableParts(stage, tree, tuning: tuning?.tuning)
        try Self.requireMemory(stage, tree, parts)
        var extra = task.extraParameters
        extra.append(tuning?.tuning.added ?? [:], under: "")
        // Trainability is settled: what is frozen may be quantised now.
        tuning?.tuning.settle()
        extra.append(tuning?.kept ?? [:], under: "quantized")
        let fusable = task as? any FusableTask
        try Self.requireOnePass(stage, isFusable: fusable != nil)
        let gradients = GradientBuffer(
            stage.optimizer.isFused ? [] : parts.groups.flatMap { $0.entries.map(\.parameter) })
        bundle.model.expect(gradients, dividesSteps: tuning == nil)
        let optimizer = stage.optimizer.make(parts.groups, clip: stage.gradientClip)
        let fused = optimizer as? any FusedOptimizer
        if let checkpoint {
            try checkpoint.reading { try StageCheckpoint.restore(optimizer, extra: extra, from: checkpoint.path) }
            optimizer.stepCount = state.optimizerSteps
        }
        let outline = outline(
            index, stage, parts, tree, totalSteps: task.totalSteps, doneSteps: state.step,
            coded: tuning?.tuning.coded ?? (0, 0))
        _ = observe(.stageStarted(outline))

        let metrics = try AppendFile(folder.metrics)
        let evaluation = try stage.evaluation.map { try StageEvaluation($0, stage, context, evaluateAnswers) }
        let before = state.totals
        var saved = checkpoint == nil ? nil : Optional(state.step)
        var lastSave = ContinuousClock.now

        func save() throws -> String {
            let path = folder.checkpoint(of: stage.name, step: state.step)
            if saved == state.step { return path }
            try metrics.flush()
            state.optimizerSteps = optimizer.stepCount
            state.threads = bundle.model.backend.threads
            state.isComplete = state.step >= task.totalSteps
            state.metricsBytes = try logSize(folder.metrics)
            state.evaluationBytes = try logSize(folder.evaluations)
            try StageCheckpoint.write(
                state, bundle: bundle, extra: extra, optimizer: optimizer, to: path)
            saved = state.step
            lastSave = .now
            try removeOldCheckpoints(stage, keeping: state)
            _ = observe(.checkpoint(path: path))
            return path
        }

        while !state.isComplete, state.step < task.totalSteps {
            let start = ContinuousClock.now
            let waited = task.waitSeconds
            gradients.clear()
            tuning?.begin(step: state.step)
            let rates = rates(stage, parts, step: state.step, of: task.totalSteps)
            if let fused { fusable?.willBackward = { fused.begin(rates.groups, gradientScale: 1 / $0) } }
            guard let loss = try task.step() else {
                if hasOtherData, state.step == checkpoint?.state.step { throw nothingLeft(of: task, state, checkpoint) }
                break
            }
            tuning?.end()
            let norm = (fused?.gradientNorm ?? gradients.norm) / loss.weight
            guard loss.sum.isFinite, norm.isFinite else {
                throw NonFiniteLoss(stage: stage.name, step: state.step + 1, folder: folder, lastSaved: saved)
            }
            let clip = GradientBuffer.clipFactor(norm: norm, limit: stage.gradientClip)
            optimizer.step(rates.groups, gradientScale: clip / loss.weight)
            gradients.clear()
            state.step += 1
            state.position = task.position

            let report = StepReport(
                stage: stage.name, step: state.step, totalSteps: task.totalSteps,
                epoch: Double(state.step) / task.stepsPerEpoch, loss: loss.mean, learningRate: rates.peak,
                gradientNorm: norm, tokens: loss.tokens, supervised: Int(loss.weight), pictures: loss.pictures,
                seconds: (ContinuousClock.now - start) / .seconds(1), waitSeconds: task.waitSeconds - waited)
            try metrics.appendLine(report.json.serialized())
            state.totals.add(report, counts: before.counts + task.counts)
            let control = observe(.step(report))

            var isDue = stage.checkpointEvery.map { state.step % $0 == 0 } ?? false
            if stage.checkpointMinutes > 0, (.now - lastSave) / .seconds(1) >= stage.checkpointMinutes * 60 {
                isDue = true
            }
            if let evaluation, state.step % evaluation.every == 0 || state.step == task.totalSteps {
                let isBest = try evaluate(evaluation, &state)
                if isBest { isDue = true }
            }
            if control == .stop { return try save() }
            if isDue { _ = try save() }
        }
        _ = try save()
        try tuning?.complete(folder.adapter(of: stage.name))
        summaries.append(
            StageSummary(
                name: stage.name, objective: stage.objective.rawValue, steps: state.step,
                trainable: parts.groups.reduce(0) { $0 + $1.count }, parameters: bundle.model.parameters.count,
                totals: state.totals, peakMemory: ProcessMemory.peakBytes, best: state.best, bestStep: state.bestStep,
                dataDigests: try dataDigests(stage)))
        try RunSummary.write(summaries, recipe: recipe, bundle: bundle, to: folder)
        _ = observe(.stageFinished(summaries.last!))
        return nil
    }

    func makeTask(_ stage: StageRecipe, _ context: StageContext, from position: Int) throws -> any StageTask {
        try Self.task(stage, context, from: position)
    }

    /// What a stage does with its data.
    static func task(_ stage: StageRecipe, _ context: StageContext, from position: Int = 0) throws -> any StageTask {
        switch stage.objective {
        case .instruct: try InstructTask(stage, context, from: position)
        case .language: try LanguageTask(stage, context, from: position)
        case .contrastive: try ContrastiveTask(stage, context, from: position)
        }
    }

    /// A fused optimizer uses each gradient up as it arrives, so nothing may add to it later.
    private static func requireOnePass(_ stage: StageRecipe, isFusable: Bool) throws {
        guard stage.optimizer.isFused else { return }
        guard isFusable, stage.accumulate == 1, stage.packTokens == nil else {
            throw UserError(
                "stage \"\(stage.name)\": \(stage.optimizer.kind.rawValue) uses each gradient up in the backward pass, so a step "
                    + "is one batch of conversations or texts",
                fix: isFusable
                    ? "remove accumulate and pack_tokens, or take optimizer: adafactor"
                    : "take optimizer: adafactor")
        }
    }

    /// - Returns: whether the model has never been better in this stage.
    private func evaluate(_ evaluation: StageEvaluation, _ state: inout TrainingState) throws -> Bool {
        let start = ContinuousClock.now
        let result = try evaluation.run()
        let score = result.metrics.first?.value ?? result.loss.map { -$0 } ?? 0
        let isBest = score > state.best ?? -.infinity
        if isBest {
            state.best = score
            state.bestStep = state.step
        }
        let report = EvaluationReport(
            stage: state.stageName, step: state.step, loss: result.loss, metrics: result.metrics,
            seconds: (ContinuousClock.now - start) / .seconds(1), isBest: isBest)
        let log = try AppendFile(folder.evaluations)
        try log.appendLine(report.json.serialized())
        try log.close()
        _ = observe(.evaluated(report))
        return isBest
    }
}
