import CPUBackend
import NeuralNetwork
import TensorCore
import Testing
import VisionLanguage

/// Batches whose tokens are generated together, beside each by itself.
@Suite struct GenerationRunTests {
    private static func model() -> VisionLanguageModel {
        let backend = CPUBackend(threads: 2, products: .bfloat16)
        let model = VisionLanguageModel(smallDecoder(), Initializer(backend: backend, seed: 3))
        model.store(.bfloat16)
        return model
    }

    private func prompts(_ count: Int, _ seed: Int) -> [Prompt] {
        (0..<count).map { index in
            Prompt(ids: (0..<20 + (index * 7 + seed) % 11).map { Int32(($0 * 37 + index * 13 + seed) % 300) })
        }
    }

    @Test(arguments: [0, 1.5])
    func togetherAsApart(temperature: Double) {
        let model = Self.model()
        let settings = GenerationSettings(maximumNewTokens: 24, temperature: temperature, seed: 4)
        // Two whole batches, one of which ends but for a prompt, and one that is too small to be joined.
        let batches = [prompts(16, 1), prompts(5, 2), prompts(2, 3)]
        func begin(_ batch: Int) -> GenerationRun {
            var lengths = [Int](repeating: 0, count: batches[batch].count)
            return Generator(model).begin(batches[batch], settings) { prompt, _ in
                lengths[prompt] += 1
                return prompt == 1 || batch == 0 || lengths[prompt] < 3 + prompt
            }
        }
        let apart = batches.indices.map { batch in
            let run = begin(batch)
            GenerationRun.finish([run])
            return run.answers
        }
        let runs = batches.indices.map(begin)
        let steps = GenerationRun.finish(runs)
        #expect(runs.map(\.answers) == apart)
        #expect(apart[0].allSatisfy { $0.ids.count == 24 } && apart[1].map(\.ids.count) == [3, 24, 5, 6, 7])
        let together = RowStreaming.widened { model.backend.streamedRows } >= 16 + 5
        #expect(steps == (together ? 2 : 3) * 23, "the first two go together where rows add up alike")
    }
}
