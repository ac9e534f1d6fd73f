import Basics
import NeuralNetwork
import TensorCore
import Tuning
import VisionLanguage

/// One stage of a run: its task, what it trains and by which optimizer, and where it stands.
final class StageRun {
    private let trainer: Trainer
    private let stage: StageRecipe
    private let checkpoint: ResumePoint?
    /// Whether the data changed since the checkpoint.
    private let hasOtherData: Bool
    private let task: any StageTask
    private let tuning: StageTuning?
    private let parts: TrainableParts
    /// What a checkpoint holds beside the model and the optimizer's state.
    private let extra: ParameterTree
    private let gradients: GradientBuffer
    private let optimizer: any Optimizer
    private let metrics: AppendFile
    private let evaluation: StageEvaluation?
    private let totalsBefore: StageTotals
    private var state: TrainingState
    private var savedStep: Int?
    private var lastSave = ContinuousClock.now

    /// Opens the stage's data, attaches its tuning methods, and restores what the checkpoint holds.
    ///
    /// - Parameter metrics: the run's, a line a step.
    /// - Throws: an error when data, patterns, methods, memory or the checkpoint do not fit; the model is then as it was.
    init(_ trainer: Trainer, _ index: Int, from checkpoint: ResumePoint?, _ metrics: AppendFile) throws {
        let (recipe, bundle, folder) = (trainer.recipe, trainer.bundle, trainer.folder)
        let stage = recipe.stages[index]
        // By name, so that a stage sees its data in the same order whichever stages run before it.
        var generator = RandomGenerator(seed: recipe.seed, stream: stage.name)
        let context = StageContext(bundle: bundle, seed: generator.next(), folder: folder, workers: trainer.workers)
        var state =
            try checkpoint?.state
            ?? TrainingState(
                stage: index, stageName: stage.name, recipeDigest: recipe.digest,
                metricsBytes: trainer.logSize(folder.metrics), evaluationBytes: trainer.logSize(folder.evaluations),
                rejectionBytes: trainer.logSize(folder.rejections))
        let dataMark = try trainer.dataMark(stage)
        hasOtherData = !state.isComplete && state.dataMark.map { $0 != dataMark } ?? false
        if hasOtherData {
            _ = trainer.observe(
                .note(
                    "The data of \(stage.name) is not what it was when the run stopped: it goes on at the same place "
                        + "of what is there now, and its weights will not be those of an uninterrupted run."))
        }
        state.dataMark = dataMark
        bundle.model.recomputesActivations = stage.recomputesActivations
        task = try Trainer.task(stage, context, from: state.position)
        if hasOtherData, state.step >= task.totalSteps { throw trainer.nothingLeft(of: task, state, checkpoint) }
        var tree = bundle.model.parameters
        tree.append(task.extraParameters, under: "contrastive")
        tuning = try StageTuning(stage, index, recipe, bundle, seed: context.seed, digest: state.baseDigest)
        state.baseDigest = tuning?.tuning.baseDigest
        try tuning?.divide(task, stage)
        parts = try TrainableParts(stage, tree, tuning: tuning?.tuning)
        // A stage before this one may have kept some of the weights as codes.
        tree.rejoin()
        try Trainer.requireMemory(stage, tree, parts)
        var extra = task.extraParameters
        extra.append(tuning?.tuning.added ?? [:], under: "")
        // Trainability is settled: what is frozen may be quantised now.
        tuning?.tuning.settle()
        extra.append(tuning?.kept ?? [:], under: "quantized")
        self.extra = extra
        try Self.requireOnePass(stage, isFusable: task is any FusableTask)
        gradients = GradientBuffer(
            stage.optimizer.isFused ? [] : parts.groups.flatMap { $0.entries.map(\.parameter) })
        bundle.model.expect(gradients, dividesSteps: tuning == nil)
        optimizer = stage.optimizer.make(parts.groups, clip: stage.gradientClip)
        if let checkpoint {
            try checkpoint.reading { [optimizer] in
                try StageCheckpoint.restore(optimizer, extra: extra, from: checkpoint.path)
            }
            optimizer.stepCount = state.optimizerSteps
        }
        let outline = trainer.outline(
            index, stage, parts, tree, totalSteps: task.totalSteps, doneSteps: state.step,
            coded: tuning?.tuning.coded ?? (0, 0))
        _ = trainer.observe(.stageStarted(outline))
        self.metrics = metrics
        evaluation = try stage.evaluation.map { try StageEvaluation($0, stage, context, trainer.evaluateAnswers) }
        totalsBefore = state.totals
        savedStep = checkpoint == nil ? nil : state.step
        self.state = state
        self.trainer = trainer
        self.stage = stage
        self.checkpoint = checkpoint
    }

    /// Trains until the stage is done, or somebody asks to stop.
    ///
    /// - Returns: the checkpoint's path when the stage was interrupted.
    func untilStopped() throws -> String? {
        while !state.isComplete, state.step < task.totalSteps {
            guard let report = try step() else { break }
            try metrics.appendLine(report.json.serialized())
            state.totals.add(report, counts: totalsBefore.counts + task.counts)
            let control = trainer.observe(.step(report))
            var isDue = isCheckpointDue
            if let evaluation, state.step % evaluation.every == 0 || state.step == task.totalSteps {
                let isBest = try evaluate(evaluation)
                isDue = isDue || isBest
            }
            if control == .stop { return try save() }
            if isDue { _ = try save() }
        }
        _ = try save()
        return nil
    }

    /// The stage is done: its methods end in the weights or in an adapter's folder.
    func complete() throws -> StageSummary {
        if let tuning {
            let base = try trainer.base(of: state.stage, tuning)
            try tuning.complete(trainer.folder.adapter(of: stage.name), base: base)
        }
        return StageSummary(
            name: stage.name, objective: stage.objective.rawValue, steps: state.step,
            trainable: parts.groups.reduce(0) { $0 + $1.count }, parameters: trainer.bundle.model.parameters.count,
            totals: state.totals, peakMemory: ProcessMemory.peakBytes,
            best: evaluation?.measuresLoss == true ? state.best.map { -$0 } : state.best, bestStep: state.bestStep,
            dataDigests: try trainer.dataDigests(stage))
    }

    // MARK: Steps

    /// Forward, backward, update.
    ///
    /// - Returns: nil when the data has nothing more.
    private func step() throws -> StepReport? {
        let start = ContinuousClock.now
        let waited = task.waitSeconds
        gradients.clear()
        tuning?.begin(step: state.step)
        let rates = trainer.rates(stage, parts, step: state.step, of: task.totalSteps)
        let fused = optimizer as? any FusedOptimizer
        if let fused {
            (task as? any FusableTask)?.willBackward = { fused.begin(rates.groups, gradientScale: 1 / $0) }
        }
        guard let loss = try task.step() else {
            if hasOtherData, state.step == checkpoint?.state.step {
                throw trainer.nothingLeft(of: task, state, checkpoint)
            }
            return nil
        }
        tuning?.end()
        let norm = (fused?.gradientNorm ?? gradients.norm) / loss.weight
        guard loss.sum.isFinite, norm.isFinite else {
            throw NonFiniteLoss(
                stage: stage.name, step: state.step + 1, folder: trainer.folder, lastSaved: savedStep)
        }
        let clip = GradientBuffer.clipFactor(norm: norm, limit: stage.gradientClip)
        optimizer.step(rates.groups, gradientScale: clip / loss.weight)
        gradients.clear()
        state.step += 1
        state.position = task.position
        return StepReport(
            stage: stage.name, step: state.step, totalSteps: task.totalSteps,
            epoch: Double(state.step) / task.stepsPerEpoch, loss: loss.mean, learningRate: rates.peak,
            gradientNorm: norm, tokens: loss.tokens, supervised: Int(loss.weight), pictures: loss.pictures,
            seconds: (ContinuousClock.now - start) / .seconds(1), waitSeconds: task.waitSeconds - waited)
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
    private func evaluate(_ evaluation: StageEvaluation) throws -> Bool {
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
        let log = try AppendFile(trainer.folder.evaluations)
        try log.appendLine(report.json.serialized())
        try log.close()
        _ = trainer.observe(.evaluated(report))
        return isBest
    }

    // MARK: Checkpoints

    private var isCheckpointDue: Bool {
        if let every = stage.checkpointEvery, state.step % every == 0 { return true }
        return stage.checkpointMinutes > 0
            && (.now - lastSave) / .seconds(1) >= stage.checkpointMinutes * 60
    }

    /// - Returns: the checkpoint's path.
    private func save() throws -> String {
        let folder = trainer.folder
        let path = folder.checkpoint(of: stage.name, step: state.step)
        if savedStep == state.step { return path }
        try metrics.flush()
        state.optimizerSteps = optimizer.stepCount
        state.threads = trainer.bundle.model.backend.threads
        state.isComplete = state.step >= task.totalSteps
        state.metricsBytes = try trainer.logSize(folder.metrics)
        state.evaluationBytes = try trainer.logSize(folder.evaluations)
        state.rejectionBytes = try trainer.logSize(folder.rejections)
        try StageCheckpoint.write(state, bundle: trainer.bundle, extra: extra, optimizer: optimizer, to: path)
        savedStep = state.step
        lastSave = .now
        try trainer.removeOldCheckpoints(stage, keeping: state)
        _ = trainer.observe(.checkpoint(path: path))
        return path
    }
}
