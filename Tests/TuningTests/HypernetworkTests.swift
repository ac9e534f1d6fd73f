import Basics
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tuning
import VisionLanguage

/// A network that writes adapters from instructions.
@Suite("Hypernetwork")
struct HypernetworkTests {
    private func attached(_ decoder: TinyDecoder) throws -> Tuning {
        let method = Hypernetwork(instructions: ["ab", "c"], rank: 4, hidden: 16)
        return try Tuning(
            [TuningRule(selector: "language", method: method)], tree: decoder.model.parameters, seed: 5,
            encode: { text in text.utf8.map { Int32($0 - 90) } })
    }

    @Test func learnsTwoTasksThatContradictEachOther() throws {
        let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
        let base = logits(decoder.model)
        let tuning = try attached(decoder)
        #expect(tuning.dividesSources)
        expectClose(logits(decoder.model), base, .forward, "it starts as the base")

        // The same sequences, with other labels for the second instruction: one adapter could learn the mean at best.
        let first = TinyDecoder.sequences
        let second = PackedBatch(
            ids: first.ids, labels: first.labels.map { $0 < 0 ? $0 : ($0 + 7) % 40 }, offsets: first.offsets,
            pictures: [])
        let gradients = GradientBuffer(tuning.added.entries.map(\.parameter))
        let optimizer = AdamW([tuning.added])
        var losses: [[Double]] = []
        for step in 0..<150 {
            gradients.clear()
            tuning.begin(step: step)
            losses.append(
                [first, second].enumerated().map { source, batch in
                    tuning.select(source: source)
                    let loss = decoder.model.loss(batch)
                    loss.backward()
                    return Double(loss.scalar) / Double(batch.supervisedCount)
                })
            tuning.end()
            optimizer.step(
                [GroupRate(learningRate: 0.005, weightDecay: 0)], gradientScale: 0.5 / Double(first.supervisedCount))
        }
        // The frozen embedding is small, so that no logits of this decoder bring the loss much below 3.1.
        #expect(losses.last![0] < losses[0][0] - 0.5, "\(losses[0]) → \(losses.last!)")
        #expect(losses.last![1] < losses[0][1] - 0.5, "\(losses[0]) → \(losses.last!)")
        // It is the instruction that makes the difference: with the other one, each task goes wrong.
        for (source, batch) in [first, second].enumerated() {
            tuning.select(source: 1 - source)
            let loss = GradientRecording.disabled { Double(decoder.model.loss(batch).scalar) }
            #expect(loss / Double(batch.supervisedCount) > losses.last![source] + 0.5)
        }

        try withTemporaryFolder { folder in
            let tree = decoder.model.parameters
            tuning.select(source: 1)
            let expected = logits(decoder.model)
            let own = Paths.join(folder, "hint")
            try AdapterFolder.write(tuning, tree: tree, table: decoder.table, base: "tiny", to: own)
            // Read back without a tokenizer; then the second instruction's adapter as a plain LoRA, merged as any other.
            let fresh = TinyDecoder.random(on: TestBackend.cpu.make())
            let again = try AdapterFile(own).attach(to: fresh.model.parameters, table: fresh.table)
            again.select(source: 1)
            expectClose(logits(fresh.model), expected, .forward, "read back")
            let plain = try again.written(from: "c".utf8.map { Int32($0 - 90) }, tree: fresh.model.parameters)
            expectClose(logits(fresh.model), expected, .forward, "as a plain adapter")
            let lora = Paths.join(folder, "lora")
            try AdapterFolder.write(plain, tree: fresh.model.parameters, table: fresh.table, base: "tiny", to: lora)
            #expect(try AdapterFile(lora).type == "LORA")
            try plain.merge()
            expectClose(logits(fresh.model), expected, .forward, "merged")
        }
        tuning.detach()
        expectClose(logits(decoder.model), base, .exact, "detached")
    }

    @Test func saysWhatItNeeds() throws {
        let options = JSONOptions(JSONObject())
        _ = Hypernetwork(options)
        #expect(options.faults.first?.contains("an instruction a data source") == true)
        let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
        #expect(throws: UnfitMethod.self) {
            _ = try Tuning(
                [TuningRule(selector: "language", method: Hypernetwork(instructions: ["a"]))],
                tree: decoder.model.parameters, seed: 1)
        }
        let plain = try Tuning(
            [TuningRule(selector: "language", method: LoRA(rank: 2))], tree: decoder.model.parameters, seed: 1)
        #expect(throws: UserError.self) { _ = try plain.written(from: [1], tree: decoder.model.parameters) }
    }

    private func logits(_ model: VisionLanguageModel) -> [Float] {
        GradientRecording.disabled { model.language.logits(model.hiddenStates(TinyDecoder.sequences)).floats }
    }
}
