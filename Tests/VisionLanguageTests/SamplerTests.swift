import Basics
import TestSupport
import Testing
import VisionLanguage

private let goldenSampling = Fixtures.golden(holding: "sampling.json").map { Paths.join($0, "sampling.json") }

@Suite("Sampler")
struct SamplerTests {
    /// Every combination of processors against `transformers`' probabilities.
    @Test(.enabled(if: !goldenSampling.isEmpty), arguments: goldenSampling)
    func probabilities(path: String) throws {
        let json = try JSON.read(path)
        let logits = try #require(json["logits"]?.array).map { Float($0.double ?? 0) }
        let history = try #require(json["previous_ids"]?.array).map { Int32($0.int ?? 0) }
        let cases = try #require(json["cases"]?.array)
        #expect(!cases.isEmpty)
        for item in cases {
            let processors = try #require(item["processors"])
            let known: Set = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty"]
            #expect(processors.object?.keys.allSatisfy { known.contains($0) } == true)
            let settings = GenerationSettings(
                temperature: processors["temperature"]?.double ?? 1, topK: processors["top_k"]?.int ?? 0,
                topP: processors["top_p"]?.double ?? 1, minP: processors["min_p"]?.double ?? 0,
                repetitionPenalty: processors["repetition_penalty"]?.double ?? 1)
            var scores = logits
            Sampler.penalize(&scores, history: history, penalty: settings.repetitionPenalty)
            let found = Sampler.probabilities(scores, settings)
            let expected = try #require(item["probabilities"]?.array).map { $0.double ?? 0 }
            #expect(found.count == item["kept"]?.int, "\(processors.serialized())")
            var dense = [Double](repeating: 0, count: expected.count)
            for (id, probability) in found { dense[Int(id)] = probability }
            for (a, b) in zip(dense, expected) { #expect(abs(a - b) < 1e-6, "\(processors.serialized())") }
        }
    }

    @Test func drawsFollowTheProbabilities() {
        let logits: [Float] = [1, 0, -1, 2]
        let settings = GenerationSettings(temperature: 1, seed: 9)
        let expected = Sampler.probabilities(logits, settings)
        var counts = [Int](repeating: 0, count: 4)
        var sampler = Sampler(settings, stream: 0)
        for _ in 0..<20_000 {
            var scores = logits
            counts[Int(sampler.next(&scores, history: []))] += 1
        }
        // Four standard deviations of a share of 20,000 draws are at most 0.014.
        for (id, probability) in expected { #expect(abs(Double(counts[Int(id)]) / 20_000 - probability) < 0.015) }
    }

    @Test func eachAnswerHasAStreamOfItsOwn() {
        let settings = GenerationSettings(temperature: 1, seed: 4)
        func draws(_ stream: UInt64) -> [Int32] {
            var sampler = Sampler(settings, stream: stream)
            return (0..<32).map { _ in
                var scores = [Float](repeating: 0, count: 50)
                return sampler.next(&scores, history: [])
            }
        }
        #expect(draws(1) == draws(1))
        #expect(draws(1) != draws(2))
    }
}
