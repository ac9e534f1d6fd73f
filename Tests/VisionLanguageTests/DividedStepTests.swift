import Basics
import CPUBackend
import NeuralNetwork
import TensorCore
import Testing
import VisionLanguage

/// Steps computed in parts, one a thread: what they compute is what all threads compute together.
@Suite("Divided steps") struct DividedStepTests {
    /// Sequences of `lengths` tokens, those of even number behind a picture's tokens; the second half of the text carries loss.
    private func batch(_ lengths: [Int], _ configuration: ModelConfiguration) throws -> PackedBatch {
        var generator = RandomGenerator(seed: 3)
        let vision = try #require(configuration.vision)
        let tokens = configuration.visualTokenCount(height: vision.imageSize, width: vision.imageSize)
        var ids: [Int32] = []
        var labels: [Int32] = []
        var rows: [Int32] = []
        var offsets: [Int32] = [0]
        for (index, length) in lengths.enumerated() {
            if index % 2 == 0 {
                rows += (0..<tokens).map { Int32(ids.count + $0) }
                ids += [Int32](repeating: -1, count: tokens)
                labels += [Int32](repeating: -1, count: tokens)
            }
            for place in 0..<length {
                ids.append(Int32(generator.below(900)))
                labels.append(place >= length / 2 ? Int32(generator.below(900)) : -1)
            }
            offsets.append(Int32(ids.count))
        }
        let side = vision.imageSize
        let count = (lengths.count + 1) / 2
        let pixels = (0..<count * vision.channels * side * side).map { _ in Float(generator.normal()) }
        return PackedBatch(
            ids: ids, labels: labels, offsets: offsets,
            pictures: [PictureGroup(height: side, width: side, count: count, pixels: pixels, rows: rows)])
    }

    /// A model, told what its step's gradients are, and those of one step.
    private func step(
        _ batch: PackedBatch, threads: Int, divides: Bool, products: ProductPrecision = .float32, times: Int = 1
    ) -> (sum: Double, gradients: [(path: String, values: [Float])]) {
        let model = VisionLanguageModel(
            ModelPreset.tiny.configuration,
            Initializer(backend: CPUBackend(threads: threads, products: products), seed: 5))
        let trained = model.parameters.trainable
        model.expect(GradientBuffer(trained.entries.map(\.parameter)), dividesSteps: divides)
        var sum = 0.0
        for _ in 0..<times { sum += model.addGradients(of: batch) }
        return (sum, trained.entries.map { ($0.path, $0.parameter.gradient?.floats ?? []) })
    }

    /// Sums of some thousand float32 terms in another order. Some gradients, as of the biases of keys, are nothing but such rounding: 1e-8.
    private func expectClose(
        _ parts: [(path: String, values: [Float])], _ whole: [(path: String, values: [Float])]
    ) {
        for (part, all) in zip(parts, whole) {
            let size = all.values.map { abs($0) }.max() ?? 0
            let error = zip(part.values, all.values).map { abs($0 - $1) }.max() ?? 0
            #expect(
                part.values.count == all.values.count && error <= 1e-4 * size + 1e-6, "\(all.path): \(error) of \(size)"
            )
        }
        #expect(whole.contains { $0.path.hasPrefix("vision.") && $0.values.contains { abs($0) > 1e-3 } })
    }

    private let lengths = [90, 171, 120, 150, 88, 160, 101, 166, 97, 170, 93, 150, 90, 170, 120, 149]

    @Test(arguments: [2, 4]) func partsAddUpToTheWhole(_ threads: Int) throws {
        let batch = try batch(lengths, ModelPreset.tiny.configuration)
        let together = step(batch, threads: threads, divides: false)
        let divided = step(batch, threads: threads, divides: true)
        #expect(abs(together.sum - divided.sum) <= 1e-6 * together.sum, "sums of float32 losses")
        expectClose(divided.gradients, together.gradients)
        let differ = zip(together.gradients, divided.gradients).count { $0.values != $1.values }
        // Other orders of sums leave other last bits.
        #expect((differ > 0) == CPUBackend(threads: threads).dividesSmallSteps, "whether the step was divided")
    }

    @Test(arguments: ProductPrecision.allCases) func equalThreadsGiveEqualBits(_ products: ProductPrecision) throws {
        let batch = try batch(lengths, ModelPreset.tiny.configuration)
        // Twice, so that gradients are added to those that are there.
        let first = step(batch, threads: 4, divides: true, products: products, times: 2)
        let second = step(batch, threads: 4, divides: true, products: products, times: 2)
        #expect(first.sum == second.sum)
        for (a, b) in zip(first.gradients, second.gradients) { #expect(a.values == b.values, "\(a.path)") }
    }

    @Test func aPartWithoutPicturesTrainsTheTowerAllTheSame() throws {
        // Of the last part's sequences none has a picture, of the first one's all.
        let mixed = try batch([448, 512], ModelPreset.tiny.configuration)
        let together = step(mixed, threads: 2, divides: false)
        let divided = step(mixed, threads: 2, divides: true)
        expectClose(divided.gradients, together.gradients)
    }

    @Test func runsAreOfAboutEqualLengthOrNotCutAtAll() throws {
        let configuration = ModelPreset.tiny.configuration
        let even = try batch(lengths, configuration)
        let runs = try #require(even.divided(into: 4))
        #expect(runs.first?.lowerBound == 0 && runs.last?.upperBound == lengths.count)
        for (run, next) in zip(runs, runs.dropFirst()) { #expect(run.upperBound == next.lowerBound && !run.isEmpty) }
        for run in runs {
            let tokens = Int(even.offsets[run.upperBound] - even.offsets[run.lowerBound])
            #expect(tokens * 4 * 8 <= even.tokenCount * 9)
        }
        #expect(try batch([300, 20, 20, 20], configuration).divided(into: 4) == nil, "all would wait for the first")
        #expect(try batch([90, 90], configuration).divided(into: 3) == nil, "fewer sequences than runs")
        let tiles = PackedBatch(
            ids: [-1, -1], labels: [-1, -1], offsets: [0, 1, 2],
            pictures: [
                PictureGroup(height: 1, width: 1, count: 1, pixels: [0, 0, 0], rows: [0, 1], sources: [0, -1])
            ])
        #expect(tiles.divided(into: 2) == nil, "pictures in tiles belong to no row by their number")
    }

    @Test func aPartHoldsItsSequencesAndTheirPictures() throws {
        let whole = try batch([5, 6, 7, 8], ModelPreset.tiny.configuration)
        let part = whole.sequences(1..<3)
        #expect(part.offsets == [0, 6, 6 + 64 + 7])
        #expect(part.ids == Array(whole.ids[69..<69 + 77]) && part.labels == Array(whole.labels[69..<69 + 77]))
        #expect(part.positions == Array(Int32(0)..<6) + Array(Int32(0)..<71))
        let pictures = try #require(part.pictures.first)
        #expect(part.pictures.count == 1 && pictures.count == 1)
        #expect(pictures.rows == (6..<70).map { Int32($0) })
        let size = 3 * 64 * 64
        #expect(pictures.pixels == Array(whole.pictures[0].pixels[size..<2 * size]))
        #expect(whole.sequences(3..<4).pictures.isEmpty)
    }
}
