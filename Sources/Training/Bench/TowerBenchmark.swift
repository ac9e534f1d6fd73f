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

    /// Median seconds of a pass over all pictures, and all its products by themselves.
    public func run(passes: Int) -> (seconds: Double, floor: ProductFloor) {
        pass()
        let times = (0..<max(1, passes)).map { _ in
            let start = ContinuousClock.now
            pass()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        backend.isMeasuring = true
        pass()
        backend.isMeasuring = false
        return (times.median, ProductFloor(backend.products, on: backend.base))
    }

    private func pass() {
        GradientRecording.disabled { for group in pictures { _ = model.visualTokens(group) } }
    }
}
