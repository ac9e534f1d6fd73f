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
    }

    private let model: VisionLanguageModel
    private let batch: PackedBatch
    private let gradients: GradientBuffer
    private let optimizer: any Optimizer
    private let tuning: Tuning?
    private let trainable: Int

    /// - Parameters:
    ///   - textTokens: tokens after each picture's; the second half of them carries loss.
    public init(
        _ preset: ModelPreset, batch size: Int, textTokens: Int, scope: Scope, recomputes: Bool = false,
        on backend: any Backend
    ) {
        model = VisionLanguageModel(preset.configuration, Initializer(backend: backend, seed: 0))
        model.recomputesActivations = recomputes
        batch = Self.randomBatch(preset.configuration, size: size, textTokens: textTokens)
        let tree = model.parameters
        for entry in tree.entries {
            entry.parameter.isTrainable = scope == .full || entry.path.hasPrefix("projector.")
        }
        let trained = tree.trainable
        gradients = GradientBuffer(trained.entries.map(\.parameter), on: backend)
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
                fix: Suggestion.nearest(to: name, among: names).map { "write \"\($0)\"" }
                    ?? "one of \(names.joined(separator: ", "))")
        }
        model = VisionLanguageModel(preset.configuration, Initializer(backend: backend, seed: 0))
        model.recomputesActivations = recomputes
        batch = Self.randomBatch(preset.configuration, size: size, textTokens: textTokens)
        let rule = TuningRule(selector: part, method: candidate.method)
        let tuning = try Tuning([rule], tree: model.parameters, seed: 0, digest: "")
        tuning.settle()
        var trained = tuning.changed
        trained.append(tuning.added, under: "")
        var settings = OptimizerRecipe.standard
        settings.kind = candidate.optimizer
        gradients = GradientBuffer(settings.isFused ? [] : trained.entries.map(\.parameter), on: backend)
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
            gradients.clear()
            tuning?.begin(step: index)
            let sum = model.loss(batch)
            let count = Double(batch.supervisedCount)
            let rates = [GroupRate(learningRate: 1e-4, weightDecay: 0.01)]
            let fused = optimizer as? any FusedOptimizer
            fused?.begin(rates, gradientScale: 1 / count)
            sum.backward()
            tuning?.end()
            loss = Double(sum.scalar) / count
            let norm = (fused?.gradientNorm ?? gradients.norm) / count
            let clip = GradientBuffer.clipFactor(norm: norm, limit: 1)
            optimizer.step(rates, gradientScale: clip / count)
            if index >= warmup { seconds.append((ContinuousClock.now - start).inSeconds) }
        }
        return Result(
            stepSeconds: seconds.sorted()[seconds.count / 2], seconds: seconds, tokens: batch.tokenCount,
            parameters: model.parameters.count, trainable: trainable, loss: loss)
    }

    private static func randomBatch(_ configuration: ModelConfiguration, size: Int, textTokens: Int) -> PackedBatch {
        var generator = RandomGenerator(seed: 1)
        let vision = configuration.vision!
        let side = vision.imageSize
        let visual = configuration.visualTokenCount(height: side, width: side)
        var ids: [Int32] = []
        var labels: [Int32] = []
        var rows: [Int32] = []
        var offsets: [Int32] = [0]
        for _ in 0..<size {
            rows += (0..<visual).map { Int32(ids.count + $0) }
            ids += [Int32](repeating: -1, count: visual)
            labels += [Int32](repeating: -1, count: visual)
            for index in 0..<textTokens {
                ids.append(Int32(generator.below(configuration.language.vocabularySize - 1)))
                let isSupervised = index >= textTokens / 2 && index + 1 < textTokens
                labels.append(isSupervised ? Int32(generator.below(configuration.language.vocabularySize - 1)) : -1)
            }
            offsets.append(Int32(ids.count))
        }
        let pixels = (0..<size * 3 * side * side).map { _ in Float(generator.normal()) }
        let group = PictureGroup(height: side, width: side, count: size, pixels: pixels, rows: rows)
        return PackedBatch(ids: ids, labels: labels, offsets: offsets, pictures: [group])
    }
}
