import Basics
import NeuralNetwork
public import TensorCore
import Tuning
public import VisionLanguage

/// Times a training step on random data: forward, backward, clip and AdamW, as a run does them.
public struct StepBenchmark {
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

    /// Where the time of one step goes.
    public struct Profile: Sendable {
        /// Kinds of kernels with their seconds and calls, the longest first; `host` is what lies between the kernels.
        public var parts: [(name: String, seconds: Double, calls: Int)]
        /// All products of the step by themselves: its floor.
        public var floor: ProductFloor
    }

    private let model: VisionLanguageModel
    private let batch: PackedBatch
    private let gradients: GradientBuffer
    private let optimizer: any Optimizer
    private let backend: MeasuringBackend
    private let tuning: Tuning?
    private let trainable: Int

    /// From here on the tower's features are read from disk, as by a stage with `cache_features` after its first epoch.
    ///
    /// - Parameter folder: where they lie.
    public func cacheFeatures(in folder: String) throws {
        let cache = try FeatureCache(folder, model: model, byteLimit: 1 << 40, workers: Parallel.processors)
        model.knownStates = { cache.states(of: $0, tower: $1) }
    }

    /// - Parameters:
    ///   - textTokens: tokens after each picture's; the second half of them carries loss.
    public init(
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
        model.expect(gradients)
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
        model.expect(gradients)
        optimizer = settings.make([trained], clip: 1)
        trainable = trained.count
        self.tuning = tuning
    }

    /// Runs `warmup` steps untimed, then `steps` timed ones.
    public func run(steps: Int, warmup: Int = 2) -> Result {
        var seconds: [Double] = []
        var loss = 0.0
        for index in 0..<warmup + steps {
            let start = ContinuousClock.now
            loss = step(index)
            if index >= warmup { seconds.append((ContinuousClock.now - start) / .seconds(1)) }
        }
        return Result(
            stepSeconds: seconds.median, seconds: seconds, tokens: batch.tokenCount,
            parameters: model.parameters.count, trainable: trainable, loss: loss,
            coded: tuning?.coded ?? (0, 0))
    }

    /// Runs one more step with a clock around every kernel, and then its products by themselves.
    public func profile() -> Profile {
        backend.reset()
        backend.isMeasuring = true
        let start = ContinuousClock.now
        _ = step(0)
        let total = (ContinuousClock.now - start) / .seconds(1)
        backend.isMeasuring = false
        return Profile(
            parts: backend.parts(of: total), floor: ProductFloor(backend.products, on: backend.base))
    }

    /// - Returns: the mean loss.
    private func step(_ index: Int) -> Double {
        gradients.clear()
        tuning?.begin(step: index)
        let sum = model.loss(batch)
        let count = Double(batch.supervisedCount)
        let rates = [GroupRate(learningRate: 1e-4, weightDecay: 0.01)]
        let fused = optimizer as? any FusedOptimizer
        fused?.begin(rates, gradientScale: 1 / count)
        sum.backward()
        tuning?.end()
        let loss = Double(sum.scalar) / count
        let norm = (fused?.gradientNorm ?? gradients.norm) / count
        let clip = GradientBuffer.clipFactor(norm: norm, limit: 1)
        optimizer.step(rates, gradientScale: clip / count)
        gradients.clear()
        return loss
    }
}
