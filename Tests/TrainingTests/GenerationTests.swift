import CPUBackend
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Training
import VisionLanguage

/// What generation leaves out of the work, and what it computes once, changes no token.
@Suite("Generation") struct GenerationTests {
    /// The likeliest next token by a pass over the whole text, without a cache.
    private func next(_ model: VisionLanguageModel, after ids: [Int32]) -> Int32 {
        let batch = PackedBatch(
            ids: ids, labels: ids.map { _ in -1 }, offsets: [0, Int32(ids.count)], pictures: [])
        return GradientRecording.disabled {
            let logits = model.language.logits(model.hiddenStates(batch)).floats
            let last = logits.suffix(model.configuration.language.vocabularySize)
            return Int32(last.enumerated().max { ($0.element, -$0.offset) < ($1.element, -$1.offset) }!.offset)
        }
    }

    @Test(arguments: [ProductPrecision.float32, .bfloat16])
    func promptsThatBeginAlike(_ precision: ProductPrecision) throws {
        try withTemporaryFolder { folder in
            let model = try SmallRun(folder).recipe()
                .makeModel(on: CPUBackend(threads: 2, products: precision)).model
            let opening = (0..<20).map { Int32(5 + $0 % 7) }
            let prompts = [[8, 9], [7], [11, 5, 6, 7, 8], [8, 9]].map { Prompt(ids: opening + $0) }
            let settings = GenerationSettings(maximumNewTokens: 5)
            let generator = Generator(model)
            let first = generator.generate(prompts, settings)
            // The second call finds the opening's keys and values ready; a third has another opening, the fourth none.
            #expect(generator.generate(prompts, settings) == first)
            let others = generator.generate(prompts.map { Prompt(ids: [12] + $0.ids) }, settings)
            #expect(generator.generate([prompts[0], Prompt(ids: [6, 7])], settings)[0] == first[0])
            guard precision == .float32 else { return }
            for (prompt, answer) in zip(prompts, first) {
                #expect(generator.generate([prompt], settings)[0] == answer)
                var ids = prompt.ids
                for _ in 0..<5 { ids.append(next(model, after: ids)) }
                #expect(Array(ids.suffix(5)) == answer.ids)
            }
            var ids = [12] + prompts[2].ids
            for _ in 0..<5 { ids.append(next(model, after: ids)) }
            #expect(Array(ids.suffix(5)) == others[2].ids)
        }
    }
}
