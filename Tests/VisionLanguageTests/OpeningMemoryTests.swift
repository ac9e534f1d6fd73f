import Basics
import CPUBackend
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import VisionLanguage

/// What opening a model takes, as `--memory-limit` counts it.
@Suite struct OpeningMemoryTests {
    /// Weights count in the form that they are kept in, never in a wider one before; those that stay in the file do not count.
    @Test(
        arguments: [(nil, 4), (.bfloat16, 2), (.q8, 1.0625), (.q4, 1.0625)] as [(WeightStorage?, Double)],
        [true, false])
    func weightsCountAsTheyAreKept(form: (storage: WeightStorage?, bytes: Double), sees: Bool) throws {
        let backend = CPUBackend(threads: 1, products: form.storage == nil ? .float32 : .bfloat16)
        let bundle = try ModelBundle.open(
            Paths.join(Fixtures.repository, "Models/pebble"), storage: form.storage,
            visionStorage: form.storage == .bfloat16 ? .bfloat16 : .q8, sees: sees, on: backend)
        let entries = bundle.model.parameters.entries
        let weights = entries.reduce(0) { $1.path.hasPrefix("language.") || sees ? $0 + $1.parameter.count : $0 }
        // A tenth for what is no matrix, and a matrix on its way from the file.
        let largest = 4 * (entries.map(\.parameter.count).max() ?? 0)
        #expect(Double(backend.peakBytes) <= 1.1 * form.bytes * Double(weights) + Double(largest))
        #expect(Double(backend.usedBytes) <= 1.1 * form.bytes * Double(weights))
        withExtendedLifetime(bundle) {}
    }
}
