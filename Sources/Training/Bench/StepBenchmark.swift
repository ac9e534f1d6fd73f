import Basics
import NeuralNetwork
public import TensorCore
import Tuning
public import VisionLanguage

/// Times a training step on random data: forward, backward, clip and AdamW, as a run does them.
public final class StepBenchmark {
    /// Which parameters are trained.
    public enum Scope: String, Sendable, CaseIterable {
        case full
        case projector
    }

    /// Result of a measurement.
    public struct Result: Sendable {
        /// Median of the timed steps.
        public var stepSeconds: Double
        /// All timed steps.
        public var seconds: [Double]
        /// The steps and all their products by themselves, in turn; nil where no floor was asked for.
        public var floor: FloorTurns?
        /// Operations of all products of a step; 0 where no floor was asked for.
        public var productOperations: Double
        /// Where the time of one step goes: kinds of kernels with their seconds and calls, the longest first; `host` is what lies between the
        /// kernels. Empty where no floor was asked for.
        public var profile: [(name: String, seconds: Double, calls: Int)]
        /// Tokens of a step.
        public var tokens: Int
        /// Parameters of the model.
        public var parameters: Int
        /// Weights that are trained.
        public var trainable: Int
        /// Loss after the last step.
        public var loss: Double
        /// Weights of a frozen base that are kept as codes, and the bytes that those take; 0 without.
        public var coded: (weights: Int, bytes: Int)
    }

    private let model: VisionLanguageModel
    private let batch: PackedBatch
    private let gradients: GradientBuffer
    private let optimizer: any Optimizer
    private let backend: MeasuringBackend
    private let tuning: Tuning?
    private let trainable: Int
    private var stepsDone = 0
    /// The factor on the gradients that wait for their update; nil before the first step.
    private var gradientScale: Double?

    /// From here on the tower's features are read from disk, as by a stage with `cache_features` after its first epoch.
    ///
    /// - Parameter folder: where they lie.
    public func cacheFeatures(in folder: String) throws {
        let cache = try FeatureCache(folder, model: model, byteLimit: 1 << 40, workers: Parallel.processors)
        model.knownStates = { cache.states(of: $0, tower: $1) }
    }

    /// - Parameters:
    ///   - textTokens: tokens after each picture's; the second half of them carries loss.
    public convenience init(
        _ preset: ModelPreset, batch size: Int, textTokens: Int, scope: Scope, recomputes: Bool = false,
        on backend: any Backend
    ) {
        self.init(
            preset.configuration, batch: size, textTokens: textTokens, scope: scope, recomputes: recomputes, on: backend
        )
    }

    /// As above, of a model of any shape.
    public init(
        _ configuration: ModelConfiguration, batch size: Int, textTokens: Int, scope: Scope, recomputes: Bool = false,
        on backend: any Backend
    ) {
        let backend = MeasuringBackend(backend)
        self.backend = backend
        model = VisionLanguageModel(configuration, Initializer(backend: backend, seed: 0))
        model.recomputesActivations = recomputes
        batch = RandomBatch(configuration).training(size: size, textTokens: textTokens)
        let tree = model.parameters
        for entry in tree.entries {
            entry.parameter.isTrainable = scope == .full || entry.path.hasPrefix("projector.")
        }
        let trained = tree.trainable
        gradients = GradientBuffer(trained.entries.map(\.parameter))
        model.expect(gradients, dividesSteps: true)
        optimizer = AdamW([trained])
        tuning = nil
        trainable = trained.count
    }

    /// Times a tuning method instead.
    ///
    /// - Parameters:
    ///   - name: one of `MethodEstimator.names`, such as `lora` or `full+lomo`.
    ///   - part: what the method is applied to; `*` for the whole model.
    /// - Throws: an error with the nearest name for an unknown one, or why the method does not fit the part.
    public init(
        _ preset: ModelPreset, batch size: Int, textTokens: Int, method name: String, part: String,
        recomputes: Bool = false, on backend: any Backend
    ) throws {
        guard let candidate = TuningCandidate.named(name) else {
            let names = TuningCandidate.all.map(\.name)
            throw UserError(
                "unknown method \"\(name)\"",
                fix: Suggestion.fix(for: name, among: names))
        }
        let backend = MeasuringBackend(backend)
        self.backend = backend
        model = VisionLanguageModel(preset.configuration, Initializer(backend: backend, seed: 0))
        model.recomputesActivations = recomputes
        batch = RandomBatch(preset.configuration).training(size: size, textTokens: textTokens)
        let rule = TuningRule(selector: part, method: candidate.method)
        let tuning = try Tuning([rule], tree: model.parameters, seed: 0, digest: "")
        tuning.settle()
        var trained = tuning.changed
        trained.append(tuning.added, under: "")
        var settings = OptimizerRecipe.standard
        settings.kind = candidate.optimizer
        gradients = GradientBuffer(settings.isFused ? [] : trained.entries.map(\.parameter))
        model.expect(gradients, dividesSteps: false)
        optimizer = settings.make([trained], clip: 1)
        trainable = trained.count
        self.tuning = tuning
    }

    /// Runs steps that are not timed; after two of them, memory has been at its peak.
    public func warmUp(steps: Int = 2) {
        for _ in 0..<steps { _ = timed() }
    }

    /// Times steps.
    ///
    /// - Parameter withFloor: whether to run all products of a step by themselves before and behind each timed one, after a step with a clock
    ///   around every kernel. They take memory of their own.
    public func run(steps: Int, withFloor: Bool = false) -> Result {
        var result = Result(
            stepSeconds: 0, seconds: [], floor: nil, productOperations: 0, profile: [], tokens: batch.tokenCount,
            parameters: model.parameters.count, trainable: trainable, loss: 0, coded: tuning?.coded ?? (0, 0))
        var loss = 0.0
        func next() -> Double {
            let step = timed()
            loss = step.loss
            return step.seconds
        }
        if withFloor {
            backend.reset()
            // A kernel's time is that of all threads in it.
            model.expect(gradients, dividesSteps: false)
            backend.isMeasuring = true
            let total = next()
            backend.isMeasuring = false
            model.expect(gradients, dividesSteps: tuning == nil)
            result.profile = backend.parts(of: total)
            let floor = ProductFloor(
                backend.products, lowRankOperations: backend.lowRankOperations, on: backend.base)
            // The floor's factors lie where tensors of a step lay: one step finds other places for them.
            _ = next()
            let turns = FloorTurns(turns: steps, floor: floor.seconds, work: next)
            (result.floor, result.seconds, result.productOperations) = (turns, turns.seconds, floor.operations)
        } else {
            result.seconds = (0..<steps).map { _ in next() }
        }
        (result.stepSeconds, result.loss) = (result.seconds.median, loss)
        return result
    }

    private func timed() -> (seconds: Double, loss: Double) {
        let start = ContinuousClock.now
        let loss = step(stepsDone)
        stepsDone += 1
        return ((ContinuousClock.now - start) / .seconds(1), loss)
    }

    /// The update by the gradients of the step before, then the gradients of the next: as steps of a run follow each other, with a part of the
    /// update beside the forward pass, and nothing left over that the next one would have to wait for.
    ///
    /// - Returns: the mean loss.
    private func step(_ index: Int) -> Double {
        let count = Double(batch.supervisedCount)
        let rates = [GroupRate(learningRate: 1e-4, weightDecay: 0.01)]
        let fused = optimizer as? any FusedOptimizer
        if let gradientScale { optimizer.step(rates, gradientScale: gradientScale) }
        gradients.clear()
        tuning?.begin(step: index)
        let sum = model.addGradients(
            of: batch, willBackward: fused.map { fused in { fused.begin(rates, gradientScale: 1 / count) } })
        tuning?.end()
        let norm = (fused?.gradientNorm ?? gradients.norm) / count
        gradientScale = GradientBuffer.clipFactor(norm: norm, limit: 1) / count
        return sum / count
    }
}
