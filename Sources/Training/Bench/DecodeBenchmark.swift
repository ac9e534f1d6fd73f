import Basics
import NeuralNetwork
public import TensorCore
public import VisionLanguage

/// Times greedy generation on random weights: the prompt, then one token after another.
public struct DecodeBenchmark {
    /// Result of a measurement.
    public struct Result: Sendable {
        /// Median seconds from the prompt to the first new token.
        public var promptSeconds: Double
        /// Tokens of all prompts, visual ones included.
        public var promptTokens: Int
        /// Median seconds of a step, which gives each sequence one token.
        public var stepSeconds: Double
        /// New tokens a second, over all sequences.
        public var tokensPerSecond: Double
        /// Bytes of weights and of an average cache that a step reads at least.
        public var bytesPerStep: Double
        /// Operations of all products of the prompts and their pictures.
        public var promptOperations: Double
        /// The prompts and all their products by themselves, in turn.
        public var promptFloor: FloorTurns
        /// A step of each generation and reading its bytes at the bandwidth around that generation.
        public var stepFloor: FloorTurns
    }

    private let model: VisionLanguageModel
    private let prompts: [Prompt]
    private let measuring: MeasuringBackend

    /// - Parameters:
    ///   - textTokens: tokens of each prompt, after the picture's where `hasPicture`.
    ///   - storage: how weights are kept; nil keeps float32.
    ///   - visionStorage: how those of tower and projector are kept then.
    public init(
        _ preset: ModelPreset, batch: Int, textTokens: Int, hasPicture: Bool, storage: WeightStorage?,
        visionStorage: WeightStorage = .bfloat16, on backend: any Backend
    ) {
        measuring = MeasuringBackend(backend)
        var configuration = preset.configuration
        if !hasPicture { configuration.vision = nil }
        model = .random(configuration, seed: 0, storage: storage, visionStorage: visionStorage, on: measuring)
        prompts = RandomBatch(configuration).prompts(count: batch, textTokens: textTokens, hasPicture: hasPicture)
    }

    /// Generates once without a clock; memory has been at its peak then.
    public func warmUp(tokens: Int) { _ = generate(tokens) }

    /// Generates `tokens` tokens for each prompt, several times; before and behind each, asks what memory gives and runs all products of the
    /// prompts by themselves. The latter take memory of their own.
    ///
    /// - Parameter bandwidth: bytes a second that the machine's memory gives at the moment.
    public func run(tokens: Int, repeats: Int, bandwidth: () -> Double) -> Result {
        measuring.reset()
        measuring.isMeasuring = true
        _ = generate(2) { [measuring] in measuring.isMeasuring = false }
        let products = ProductFloor(measuring.products, on: measuring.base)
        let bytes = bytesPerStep(tokens: tokens)
        var first: [Double] = []
        var steps: [Double] = []
        var (multiplying, reading) = ([products.seconds()], [bytes / bandwidth()])
        for _ in 0..<max(1, repeats) {
            let times = generate(tokens)
            first.append(times[0])
            steps.append(times.dropFirst().reduce(0, +) / Double(max(1, times.count - 1)))
            reading.append(bytes / bandwidth())
            multiplying.append(products.seconds())
        }
        return Result(
            promptSeconds: first.median, promptTokens: promptTokens, stepSeconds: steps.median,
            tokensPerSecond: Double(prompts.count) / steps.median, bytesPerStep: bytes,
            promptOperations: products.operations, promptFloor: FloorTurns(first, around: multiplying),
            stepFloor: FloorTurns(steps, around: reading))
    }

    private var promptTokens: Int { prompts.reduce(0) { $0 + $1.ids.count } }

    private func bytesPerStep(tokens: Int) -> Double {
        let language = model.configuration.language
        let cached = Double(promptTokens + prompts.count * tokens / 2)
        // Keys and values are kept as products read them.
        let width = model.backend.factorType.byteCount(of: 1)
        let cache = cached * Double(2 * language.heads.keyValueColumns * language.layers * width)
        return Double(model.bytesPerToken) + cache
    }

    /// Where the time of one step goes, by kind of kernel, the longest first; `host` is what lies between the kernels.
    public func profile(tokens: Int) -> [(name: String, seconds: Double, calls: Int)] {
        measuring.reset()
        let times = generate(tokens) { [measuring] in measuring.isMeasuring = true }
        measuring.isMeasuring = false
        return measuring.parts(of: times.dropFirst().reduce(0, +), count: max(1, tokens - 1))
    }

    /// Seconds of the prompt, then of each step.
    private func generate(_ tokens: Int, afterPrompt: @escaping () -> Void = {}) -> [Double] {
        var times: [Double] = []
        var last = ContinuousClock.now
        let end = prompts.count - 1
        _ = Generator(model).generate(prompts, GenerationSettings(maximumNewTokens: tokens)) { prompt, _ in
            guard prompt == end else { return true }
            if times.isEmpty { afterPrompt() }
            let now = ContinuousClock.now
            times.append((now - last) / .seconds(1))
            last = now
            return true
        }
        return times
    }
}
