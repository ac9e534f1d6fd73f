import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tuning
public import VisionLanguage

/// Measures what a stage takes with a method: the same data in the same order, the same batches.
///
/// Memory outside tensors is the process's peak, so a process measures one method and ends.
public struct MethodEstimator {
    private let recipe: Recipe
    private let stage: StageRecipe
    private let index: Int
    private let meter: MemoryMeter
    private let scratch: String
    private let open: () throws -> ModelBundle

    /// - Parameters:
    ///   - name: the stage's name; nil takes the last.
    ///   - scratch: folder for what a measurement writes, such as features; made for it and removed with it.
    ///   - open: opens the stage's model.
    /// - Throws: an error naming the nearest stage when there is none of that name.
    public init(
        _ recipe: Recipe, stage name: String?, meter: MemoryMeter, scratch: String,
        open: @escaping () throws -> ModelBundle
    ) throws {
        self.recipe = recipe
        index = try name.map { try recipe.index(ofStage: $0) } ?? recipe.stages.count - 1
        stage = recipe.stages[index]
        self.meter = meter
        self.scratch = scratch
        self.open = open
    }

    /// Names of what can be measured: the stage as it is written, then every method with its usual options.
    public static var names: [String] { ["recipe"] + TuningCandidate.all.map(\.name) }

    /// The names that a list means.
    ///
    /// - Parameter list: names; `all` for all.
    /// - Throws: an error with the nearest name for an unknown one.
    public static func chosen(_ list: [String]) throws -> [String] {
        for name in list where name != "all" && !names.contains(name) {
            throw UserError(
                "unknown method \"\(name)\"",
                fix: Suggestion.fix(
                    for: name, among: names, or: "all, or some of \(names.joined(separator: ", "))"))
        }
        if list.isEmpty {
            throw UserError("no method is named", fix: "all, or some of \(names.joined(separator: ", "))")
        }
        return list.contains("all") ? names : list
    }

    /// Measures one method.
    ///
    /// - Parameters:
    ///   - part: what the method is applied to.
    ///   - steps: timed steps, after one of warm-up.
    /// - Returns: the figures, or why the method does not fit.
    public func estimate(_ name: String, part: String, steps: Int) throws -> MethodEstimate {
        var stage = stage
        if let candidate = TuningCandidate.named(name) {
            stage.train = []
            stage.freeze = []
            stage.tune = [TuningRule(selector: part, method: candidate.method)]
            stage.optimizer.kind = candidate.optimizer
        }
        var estimate = MethodEstimate(name: name)
        do {
            try measure(stage, steps: steps, &estimate)
        } catch let problem as UserError {
            estimate.obstacle = problem.problem
        }
        return estimate
    }

    private func measure(_ stage: StageRecipe, steps: Int, _ estimate: inout MethodEstimate) throws {
        try Files.createDirectory(scratch)
        defer { try? Files.remove(scratch) }
        let start = meter.used()
        let bundle = try open()
        var generator = RandomGenerator(seed: recipe.seed, stream: stage.name)
        let context = StageContext(bundle: bundle, seed: generator.next(), folder: RunFolder(scratch), workers: 2)
        bundle.model.recomputesActivations = stage.recomputesActivations
        let task = try Trainer.task(stage, context)
        var tree = bundle.model.parameters
        tree.append(task.extraParameters, under: "contrastive")
        let tuning = try StageTuning(stage, index, recipe, bundle, seed: context.seed, digest: "")
        defer { tuning?.finish() }
        try tuning?.divide(task, stage)
        let parts = try TrainableParts(stage, tree, tuning: tuning?.tuning)
        tuning?.tuning.settle()
        estimate.trainable = parts.groups.reduce(0) { $0 + $1.count }
        tree.append(tuning?.tuning.added ?? [:], under: "")
        estimate.parameters = tree.count
        estimate.weightBytes = meter.used() - start

        let parameters = parts.groups.flatMap { $0.entries.map(\.parameter) }
        let gradients = GradientBuffer(stage.optimizer.isFused ? [] : parameters)
        bundle.model.expect(gradients, dividesSteps: tuning == nil)
        let optimizer = stage.optimizer.make(parts.groups, clip: stage.gradientClip)
        let resting = meter.used() - start
        estimate.optimizerBytes = resting - estimate.weightBytes
        meter.reset()

        let fused = optimizer as? any FusedOptimizer
        let rates = parts.names.map { _ in GroupRate(learningRate: 1e-6, weightDecay: 0) }
        var seconds: [Double] = []
        var processor: [Double] = []
        var pictures = 0
        for step in 0...steps {
            let clock = ContinuousClock.now
            let computed = ProcessTime.seconds
            gradients.clear()
            tuning?.begin(step: step)
            if let fused {
                (task as? any FusableTask)?.willBackward = { fused.begin(rates, gradientScale: 1 / $0) }
            }
            guard let loss = try task.step() else { break }
            tuning?.end()
            estimate.gradientBytes = gradients.byteCount
            let clip = GradientBuffer.clipFactor(norm: fused?.gradientNorm ?? gradients.norm, limit: stage.gradientClip)
            optimizer.step(rates, gradientScale: clip / loss.weight)
            gradients.clear()
            estimate.tokens = loss.tokens
            pictures += loss.pictures
            guard step > 0 else { continue }
            seconds.append((ContinuousClock.now - clock) / .seconds(1))
            processor.append(ProcessTime.seconds - computed)
        }
        let peak = meter.peak() - start
        // The fullest moment is early in the backward pass, when gradients have begun to take the place of activations.
        estimate.activationBytes = max(0, peak - resting - estimate.gradientBytes)
        estimate.totalSteps = task.totalSteps
        estimate.stepSeconds = seconds.median
        estimate.processorSeconds = processor.median

        let samples = stage.batchSize * (seconds.count + 1)
        let memory = KeptPictures(
            bytes: 3 * bundle.pictureHeight * bundle.pictureWidth * MemoryLayout<Float>.stride,
            perSample: Double(pictures) / Double(max(1, samples)), limit: stage.pictureCache << 20)
        estimate.pictureBytes = memory.kept(
            after: min(Double(task.totalSteps), task.stepsPerEpoch) * Double(stage.batchSize))
        estimate.processBytes = max(
            0, ProcessMemory.peakBytes - peak - memory.kept(after: Double(task.counts.samples)))
    }
}

/// Processed pictures that a run keeps in memory.
private struct KeptPictures {
    let bytes: Int
    let perSample: Double
    let limit: Int

    /// Bytes kept when so many samples have been seen once.
    func kept(after samples: Double) -> Int { min(limit, Int(samples * perSample * Double(bytes))) }
}
