import Basics
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tokenization
import VisionLanguage

private let stories = Fixtures.data("stories260K")

/// A real pretrained Llama: its tokens, its stories, its loss and gradients, and ten steps of tuning, against published numbers.
@Suite("A pretrained Llama", .enabled(if: stories != nil))
struct StoriesTests {
    private let folder: String
    private let bundle: ModelBundle
    private let golden: JSON

    init() throws {
        folder = try #require(stories)
        bundle = try ModelBundle.open(folder, on: TestBackend.cpu.make())
        golden = try JSON.read(Paths.join(folder, "golden.json"))
    }

    private func ids(_ json: JSON?) throws -> [Int32] { try #require(json?.array).map { Int32($0.int ?? -1) } }

    @Test func tokens() throws {
        let checks = try #require(golden["tokenizer_checks"]?.array)
        #expect(!checks.isEmpty)
        for check in checks {
            let text = try #require(check["text"]?.string)
            let expected = try ids(check["ids"])
            #expect(bundle.tokenizer.encode(text, addSpecialTokens: true) == expected, "\(text)")
            #expect(bundle.tokenizer.decode(expected) == check["decoded"]?.string, "\(text)")
        }
    }

    @Test func greedyStories() throws {
        let generator = Generator(bundle.model)
        let cases = try #require(golden["prompts"]?.array)
        for item in cases {
            let prompt = try ids(item["prompt_ids"])
            #expect(bundle.tokenizer.encode(try #require(item["prompt"]?.string), addSpecialTokens: true) == prompt)
            let expected = try ids(item["greedy_ids"])
            let settings = GenerationSettings(maximumNewTokens: expected.count)
            let found = generator.generate([Prompt(ids: prompt)], settings)[0].ids
            #expect(found == expected)
            #expect(bundle.tokenizer.decode(prompt + found) == item["text"]?.string)
            let batch = PackedBatch(
                ids: prompt, labels: prompt.map { _ in -1 }, offsets: [0, Int32(prompt.count)], pictures: [])
            let logits = GradientRecording.disabled {
                bundle.model.language.logits(bundle.model.hiddenStates(batch)).floats
            }
            // The file has five decimals.
            expectClose(
                Array(logits.suffix(bundle.model.configuration.language.vocabularySize)),
                try #require(item["last_prompt_logits"]?.array).map { Float($0.double ?? 0) }, .absolute(5e-5), "logits"
            )
        }
    }

    @Test func publishedStory() throws {
        let check = try #require(golden["upstream_check"])
        let expected = try ids(check["ids"])
        let start = expected.first == 1 ? expected : [1] + expected
        let settings = GenerationSettings(maximumNewTokens: start.count - 1)
        let found = Generator(bundle.model).generate([Prompt(ids: [1])], settings)[0].ids
        #expect([1] + found == start)
    }

    /// Every next token of texts, packed.
    private func batch(_ texts: [[Int32]]) -> PackedBatch {
        var offsets: [Int32] = [0]
        for text in texts { offsets.append(offsets.last! + Int32(text.count)) }
        return PackedBatch(
            ids: texts.flatMap(\.self), labels: texts.flatMap { $0.dropFirst() + [-1] }, offsets: offsets, pictures: [])
    }

    @Test func lossAndGradients() throws {
        let item = try #require(golden["loss"])
        let text = batch([try ids(item["ids"])])
        var losses: [Float] = []
        let loss = bundle.model.loss(text, scale: 1 / Float(text.supervisedCount)) { losses = $0.floats }
        loss.backward()
        #expect(abs(Double(loss.scalar) - (item["mean_cross_entropy"]?.double ?? 0)) < 6e-5)
        expectClose(
            losses, try #require(item["per_token"]?.array).map { Float($0.double ?? 0) }, .absolute(3e-5), "per token")
        let table = try #require(item["grad_l2_norms"]?.object)
        var squares: [String: Double] = [:]
        for (path, parameter) in bundle.model.parameters.entries {
            let sum = parameter.gradient?.floats.reduce(0.0) { $0 + Double($1) * Double($1) } ?? 0
            squares[path, default: 0] += sum
        }
        let expected = table.values.map { $0.double ?? 0 }.sorted()
        let found = squares.values.map { $0.squareRoot() }.sorted()
        #expect(found.count == expected.count)
        // Six decimals, float32 sums.
        for (a, b) in zip(found, expected) { #expect(abs(a - b) < 3e-6 + 2e-5 * b) }
    }

    @Test func tenStepsOfTuning() throws {
        let item = try #require(golden["adamw"])
        let batch = batch(try #require(item["batch_ids"]?.array).map { try ids($0) })
        let losses = try #require(item["losses"]?.array).map { $0.double ?? 0 }
        let norms = try #require(item["grad_norms"]?.array).map { $0.double ?? 0 }
        let trainable = bundle.model.parameters
        for entry in trainable.entries { entry.parameter.isTrainable = true }
        let gradients = GradientBuffer(trainable.entries.map(\.parameter))
        let optimizer = AdamW([trainable])
        for (step, expected) in losses.enumerated() {
            gradients.clear()
            let loss = bundle.model.loss(batch)
            let weight = Double(batch.supervisedCount)
            // Six decimals; Adam's first steps magnify the rounding of small gradients.
            #expect(abs(Double(loss.scalar) / weight - expected) < 2e-4, "step \(step)")
            guard step < norms.count else { break }
            loss.backward()
            #expect(abs(gradients.norm / weight - norms[step]) < 2e-3 * norms[step], "norm of step \(step)")
            optimizer.step([GroupRate(learningRate: 1e-3, weightDecay: 0.01)], gradientScale: 1 / weight)
        }
    }
}
