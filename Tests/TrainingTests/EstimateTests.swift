import Basics
import CPUBackend
import TestSupport
import Testing
import Training
import VisionLanguage

/// `vitrail estimate`: what a method takes, against counts made by hand.
@Suite("Method estimates")
struct EstimateTests {
    private func estimate(_ name: String, part: String = "language") throws -> MethodEstimate {
        try withTemporaryFolder { folder in
            let recipe = try SmallRun(folder).recipe()
            let backend = CPUBackend(threads: 2)
            let meter = MemoryMeter(
                used: { backend.usedBytes }, peak: { backend.peakBytes }, reset: { backend.resetPeakBytes() })
            let scratch = Paths.join(folder, "scratch")
            let estimator = try MethodEstimator(recipe, stage: nil, meter: meter, scratch: scratch) {
                try recipe.makeModel(on: backend)
            }
            defer { #expect(!Files.exists(scratch)) }
            return try estimator.estimate(name, part: part, steps: 2)
        }
    }

    /// The decoder: 512 × 32 embeddings; two blocks of 32·32·2 + 32·16·2 + 3·32·64 weights and two norms; a last norm.
    private static let decoder = 512 * 32 + 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 64 + 2 * 32) + 32

    @Test func fullTuningTakesWhatItsPartsTake() throws {
        let full = try estimate("full")
        #expect(full.trainable == Self.decoder)
        // A weight and a gradient of four bytes, two moments; blocks of memory are rounded up.
        #expect(full.weightBytes >= 4 * full.parameters && full.weightBytes < 5 * full.parameters)
        #expect(full.gradientBytes >= 4 * Self.decoder && full.gradientBytes < 5 * Self.decoder)
        #expect(full.optimizerBytes >= 7 * Self.decoder && full.optimizerBytes < 10 * Self.decoder)
        #expect(full.activationBytes > 0 && full.stepSeconds > 0 && full.tokens > 0)
        // 24 pictures of 32 × 32 are kept.
        #expect(full.pictureBytes == 24 * 3 * 32 * 32 * 4)
        #expect(full.bytes > full.weightBytes + full.gradientBytes + full.optimizerBytes + full.activationBytes)
    }

    @Test func smallerMethodsTakeLess() throws {
        let full = try estimate("full")
        let lora = try estimate("lora")
        let lomo = try estimate("full+lomo")
        #expect(lora.optimizerBytes < full.optimizerBytes / 2)
        #expect(lomo.optimizerBytes == 0)
        #expect(lomo.gradientBytes < 1_000)
        #expect(lomo.trainable == full.trainable)
        #expect(MethodEstimate(json: lora.json).json == lora.json)
    }

    @Test func whatDoesNotFitSaysWhy() throws {
        let prompt = try estimate("prompt", part: "vision")
        #expect(prompt.obstacle?.contains("only a decoder") == true)
        #expect(prompt.json["obstacle"] != nil)
        #expect(MethodEstimate(json: prompt.json).obstacle == prompt.obstacle)
        let error = try #require(throws: UserError.self) { _ = try MethodEstimator.chosen(["lora", "lroa"]) }
        #expect(error.fix == "write \"lora\"")
        #expect(try MethodEstimator.chosen(["all"]).count > 20)
    }
}
