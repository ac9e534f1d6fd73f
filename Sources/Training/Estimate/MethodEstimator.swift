public import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tuning
public import VisionLanguage

/// Measures what a stage takes with each method: the same data, the same batches, a model opened anew for each.
public struct MethodEstimator {
    private let recipe: Recipe
    private let stage: StageRecipe
    private let index: Int
    private let meter: MemoryMeter
    private let open: () throws -> ModelBundle

    /// - Parameters:
    ///   - stage: the stage's name; nil takes the last.
    ///   - open: opens the stage's model.
    public init(_ recipe: Recipe, stage name: String?, meter: MemoryMeter, open: @escaping () throws -> ModelBundle)
        throws
    {
        self.recipe = recipe
        let names = recipe.stages.map(\.name)
        index =
            try name.map { name in
                guard let index = names.firstIndex(of: name) else {
                    throw UserError(
                        "the recipe has no stage \"\(name)\"",
                        fix: Suggestion.nearest(to: name, among: names).map { "write \"\($0)\"" }
                            ?? "one of \(names.joined(separator: ", "))")
                }
                return index
            } ?? recipe.stages.count - 1
        stage = recipe.stages[index]
        self.meter = meter
        self.open = open
    }

    /// Names of what can be measured: the stage as it is written, then every method with its usual options.
    public static var names: [String] { ["recipe"] + candidates.map(\.name) }

    /// A method or an optimizer to be measured.
    private struct Candidate {
        let name: String
        var method: any TuningMethod = FullTuning()
        var optimizer = OptimizerRecipe.Kind.adamw
    }

    private static let candidates: [Candidate] = {
        var decomposed = LoRA(rank: 8)
        decomposed.isWeightDecomposed = true
        var list = [Candidate(name: "full")]
        for kind in OptimizerRecipe.Kind.allCases where kind != .adamw {
            list.append(Candidate(name: "full+\(kind.rawValue)", optimizer: kind))
        }
        let methods: [(String, any TuningMethod)] = [
            ("layers (top 2)", PartialLayers(.top(2))), ("layers (LISA)", PartialLayers(.sampled(2, interval: 20))),
            ("lora", LoRA(rank: 8)), ("lora (DoRA)", decomposed), ("qlora", QLoRA(LoRA(rank: 8))),
            ("qlora (int8)", QLoRA(LoRA(rank: 8), base: "int8")), ("vera", VeRA()), ("ia3", IA3()),
            ("bitfit", BitFit(norms: true)), ("norms", NormTuning()), ("bottleneck", BottleneckAdapters()),
            ("prompt", PromptTuning(tokens: 20)), ("ptuning", PTuning(tokens: 20)),
            ("prefix", PrefixTuning(tokens: 20)),
            ("intrinsic", IntrinsicDimension(dimensions: 1_000)),
        ]
        return list + methods.map { Candidate(name: $0.0, method: $0.1) }
    }()

    /// Measures.
    ///
    /// - Parameters:
    ///   - names: which; `all` for all.
    ///   - part: what the methods are applied to.
    ///   - steps: timed steps, after one of warm-up.
    ///   - report: told of each as it is done.
    public func run(
        _ names: [String], part: String, steps: Int, report: (MethodEstimate) -> Void
    ) throws -> [MethodEstimate] {
        for name in names where name != "all" && !Self.names.contains(name) {
            throw UserError(
                "unknown method \"\(name)\"",
                fix: Suggestion.nearest(to: name, among: Self.names).map { "write \"\($0)\"" }
                    ?? "all, or some of \(Self.names.joined(separator: ", "))")
        }
        let chosen = names.contains("all") ? Self.names : names
        return try chosen.map { name in
            var stage = stage
            if let candidate = Self.candidates.first(where: { $0.name == name }) {
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
            report(estimate)
            return estimate
        }
    }

    private func measure(_ stage: StageRecipe, steps: Int, _ estimate: inout MethodEstimate) throws {
        let scratch = RunFolder(try Files.makeTemporaryDirectory())
        defer { try? Files.remove(scratch.path) }
        let start = meter.used()
        let bundle = try open()
        let context = StageContext(bundle: bundle, seed: recipe.seed, folder: scratch, workers: 1)
        bundle.model.recomputesActivations = stage.recomputesActivations
        var tree = bundle.model.parameters
        let tuning = try StageTuning(stage, recipe.stages.count, recipe, bundle, seed: recipe.seed, digest: "")
        defer { tuning?.finish() }
        let parts = try TrainableParts(stage, tree, tuning: tuning?.tuning)
        tuning?.tuning.settle()
        estimate.trainable = parts.groups.reduce(0) { $0 + $1.count }
        tree.append(tuning?.tuning.added ?? [:], under: "")
        estimate.parameters = tree.count
        estimate.weightBytes = meter.used() - start

        let parameters = parts.groups.flatMap { $0.entries.map(\.parameter) }
        let gradients = GradientBuffer(stage.optimizer.isFused ? [] : parameters, on: bundle.model.backend)
        estimate.gradientBytes = meter.used() - start - estimate.weightBytes
        let optimizer = stage.optimizer.make(parts.groups, clip: stage.gradientClip)
        let resting = meter.used() - start
        estimate.optimizerBytes = resting - estimate.weightBytes - estimate.gradientBytes
        meter.reset()

        // No run ends after so few steps: the schedule is that of the whole stage, the data its beginning.
        let task = try Trainer.task(stage, context)
        let fused = optimizer as? any FusedOptimizer
        let rates = parts.names.map { _ in GroupRate(learningRate: 1e-6, weightDecay: 0) }
        var seconds: [Double] = []
        for step in 0...steps {
            let clock = ContinuousClock.now
            gradients.clear()
            tuning?.begin(step: step)
            if let fused {
                (task as? any FusableTask)?.willBackward = { fused.begin(rates, gradientScale: 1 / $0) }
            }
            guard let loss = try task.step() else { break }
            tuning?.end()
            optimizer.step(rates, gradientScale: 1 / loss.weight)
            estimate.tokens = loss.tokens
            if step > 0 { seconds.append((ContinuousClock.now - clock).inSeconds) }
        }
        estimate.activationBytes = meter.peak() - start - resting
        estimate.stepSeconds = seconds.isEmpty ? 0 : seconds.sorted()[seconds.count / 2]
    }
}
