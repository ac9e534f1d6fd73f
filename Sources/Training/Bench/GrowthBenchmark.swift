public import Basics
public import TensorCore
import VisionLanguage

/// Times training steps while one thing grows and the rest stays: what twice as much costs.
public struct GrowthBenchmark: Sendable {
    /// What grows.
    public enum Axis: String, Sendable, CaseIterable {
        /// Conversations a step.
        case batch
        /// Text tokens of a conversation, behind the picture's 64.
        case sequence
        /// Columns of a hidden state, in tower and decoder.
        case width
        /// Threads that compute.
        case threads
    }

    /// One measured step.
    public struct Point: Sendable {
        /// What grew.
        public var axis: Axis
        /// How far.
        public var size: Int
        /// Whether factors were rounded to bfloat16 or not, by name.
        public var precision: String
        /// Median seconds of a step.
        public var stepSeconds: Double
        /// Seconds of all its products by themselves.
        public var floorSeconds: Double
        /// Tokens of a step.
        public var tokens: Int
        /// Most bytes of tensors.
        public var peakBytes: Int

        /// One line of results.
        public var json: JSON {
            [
                "along": .string(axis.rawValue), "size": .int(size), "precision": .string(precision),
                "step_s": .number(stepSeconds), "floor_s": .number(floorSeconds), "tokens": .int(tokens),
                "tokens_per_second": .number(Double(tokens) / stepSeconds), "tensor_peak_bytes": .int(peakBytes),
            ]
        }
    }

    /// What a back end must say of itself besides computing.
    public struct Processor {
        let backend: any Backend
        let precision: String
        let peakBytes: () -> Int

        /// A back end with its precision's name and its meter.
        public init(_ backend: any Backend, precision: String, peakBytes: @escaping () -> Int) {
            (self.backend, self.precision, self.peakBytes) = (backend, precision, peakBytes)
        }
    }

    private let axis: Axis

    /// A measurement along one axis.
    public init(along axis: Axis) { self.axis = axis }

    /// Sizes to measure, each about twice the one before.
    ///
    /// - Parameter cores: the most threads.
    public func sizes(cores: Int) -> [Int] {
        switch axis {
        case .batch: return [1, 2, 4, 8, 16, 32, 64]
        case .sequence: return [32, 64, 128, 256, 512, 1_024, 2_048]
        case .width: return [64, 128, 192, 256, 384, 512, 768]
        case .threads:
            let powers = (0..<11).map { 1 << $0 }.filter { $0 < cores }
            return powers + [cores]
        }
    }

    /// Threads that a size takes: all of them, but along threads.
    public func threads(of size: Int, cores: Int) -> Int { axis == .threads ? size : cores }

    /// Measures one size: a full step of the `tiny` preset's depth, batch 8 and 64 text tokens where those do not grow.
    public func measure(_ size: Int, on processor: Processor, steps: Int) -> Point {
        var configuration = ModelPreset.tiny.configuration
        configuration.language.maximumPositions = 4_096
        if axis == .width {
            let heads = max(2, size / 32)
            configuration.vision?.hiddenSize = size
            configuration.vision?.intermediateSize = 4 * size
            configuration.vision?.attentionHeads = heads
            configuration.language.hiddenSize = size
            configuration.language.intermediateSize = size * 8 / 3
            configuration.language.attentionHeads = heads
            configuration.language.keyValueHeads = heads / 2
            configuration.language.headWidth = 32
        }
        let benchmark = StepBenchmark(
            configuration, batch: axis == .batch ? size : axis == .sequence ? 4 : 8,
            textTokens: axis == .sequence ? size : 64, scope: .full, on: processor.backend)
        benchmark.warmUp()
        let peak = processor.peakBytes()
        let result = benchmark.run(steps: steps, withFloor: true)
        return Point(
            axis: axis, size: size, precision: processor.precision, stepSeconds: result.stepSeconds,
            floorSeconds: result.floor?.floorSeconds ?? 0, tokens: result.tokens, peakBytes: peak)
    }
}
