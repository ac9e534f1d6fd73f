import Basics
import NeuralNetwork
public import TensorCore
public import VisionLanguage

/// Times the vision tower and the projector without gradients.
public struct TowerBenchmark {
    private let model: VisionLanguageModel
    private let pictures: [PictureGroup]
    private let backend: MeasuringBackend

    /// A measurement of `batch` pictures at once.
    public init(_ preset: ModelPreset, batch: Int, storage: WeightStorage?, on backend: any Backend) {
        self.backend = MeasuringBackend(backend)
        model = .random(preset.configuration, seed: 0, storage: storage, on: self.backend)
        var generator = RandomGenerator(seed: 1)
        pictures = RandomBatch(preset.configuration).pictures(batch, [], &generator)
    }

    /// Result of a measurement.
    public struct Result: Sendable {
        /// Median seconds of a pass over all pictures.
        public var seconds: Double
        /// The passes and all their products by themselves, in turn.
        public var floor: FloorTurns
        /// Operations of all products of a pass.
        public var productOperations: Double
    }

    /// Times passes, with all products of a pass by themselves before and behind each.
    public func run(passes: Int) -> Result {
        _ = pass()
        backend.isMeasuring = true
        _ = pass()
        backend.isMeasuring = false
        let floor = ProductFloor(backend.products, on: backend.base)
        _ = pass()
        let turns = FloorTurns(turns: max(1, passes), floor: floor.seconds, work: pass)
        return Result(seconds: turns.seconds.median, floor: turns, productOperations: floor.operations)
    }

    private func pass() -> Double {
        let start = ContinuousClock.now
        GradientRecording.disabled { for group in pictures { _ = model.visualTokens(group) } }
        return (ContinuousClock.now - start) / .seconds(1)
    }
}
