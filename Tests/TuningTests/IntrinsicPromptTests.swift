import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tuning
import VisionLanguage

/// A prompt within the subspace of other prompts.
@Suite("Intrinsic prompt tuning")
struct IntrinsicPromptTests {
    /// Writes prompts of three tokens that start at different rows of the vocabulary, and gives their values.
    private func prompts(_ count: Int, in folder: String) throws -> (folders: [String], values: [[Double]]) {
        var folders: [String] = []
        var values: [[Double]] = []
        for index in 0..<count {
            let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
            let tuning = try Tuning(
                [TuningRule(selector: "language", method: PromptTuning(tokens: 3))], tree: decoder.model.parameters,
                seed: UInt64(index))
            folders.append(Paths.join(folder, "task-\(index)"))
            values.append(tuning.added.entries[0].parameter.value.floats.map { Double($0) })
            try AdapterFolder.write(
                tuning, tree: decoder.model.parameters, table: decoder.table, base: "tiny", to: folders[index])
        }
        return (folders, values)
    }

    @Test func movesWithinTheSpanOfTheTasks() throws {
        try withTemporaryFolder { folder in
            let (folders, values) = try prompts(4, in: folder)
            let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
            let tree = decoder.model.parameters
            let method = IntrinsicPrompt(subspace: folders, dimensions: 3)
            let tuning = try Tuning([TuningRule(selector: "language", method: method)], tree: tree, seed: 5)
            #expect(tuning.added.count == 3)
            let mean = values[0].indices.map { place in values.reduce(0) { $0 + $1[place] } / 4 }
            func written(_ name: String) throws -> [Float] {
                let own = Paths.join(folder, name)
                try AdapterFolder.write(tuning, tree: tree, table: decoder.table, base: "tiny", to: own)
                return try AdapterFile(own).tensors.floats("prompt_embeddings")
            }
            expectClose(try written("start"), mean.map { Float($0) }, .ofScale(1e-6), "it starts at the mean")

            let losses = train(decoder.model, tuning, steps: 60)
            #expect(losses.last! < losses[0] - 0.001, "\(losses[0]) → \(losses.last!)")
            // What has been learned, less its share in the span of the tasks' differences, is nothing.
            let learned = try written("end")
            var rest = zip(learned, mean).map { Double($0) - $1 }
            let moved = rest.reduce(0) { $0 + $1 * $1 }
            var basis: [[Double]] = []
            for value in values.dropLast() {
                var direction = zip(value, mean).map { $0 - $1 }
                for own in basis { Self.subtract(own, from: &direction) }
                let norm = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
                basis.append(direction.map { $0 / norm })
            }
            for own in basis { Self.subtract(own, from: &rest) }
            #expect(moved > 1e-6)
            #expect(rest.reduce(0) { $0 + $1 * $1 } < 1e-8 * moved)

            // The file is a prompt: any program that knows prompts reads it.
            let file = try AdapterFile(Paths.join(folder, "end"))
            #expect(file.type == "PROMPT_TUNING")
            let expected = logits(decoder.model)
            let fresh = TinyDecoder.random(on: TestBackend.cpu.make())
            _ = try file.attach(to: fresh.model.parameters, table: fresh.table)
            expectClose(logits(fresh.model), expected, .forward, "read back")
        }
    }

    @Test func saysWhatIsNoSubspace() throws {
        try withTemporaryFolder { folder in
            let (folders, _) = try prompts(2, in: folder)
            let options = JSONOptions(["subspace": .array([.string(folders[0])])])
            _ = IntrinsicPrompt(options)
            #expect(options.faults.first?.contains("two tasks or more") == true)
            let many = JSONOptions(["subspace": .array(folders.map { .string($0) }), "dimensions": 2])
            _ = IntrinsicPrompt(many)
            #expect(many.faults.first?.contains("span 1 dimensions") == true)
            let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
            let method = IntrinsicPrompt(subspace: [folders[0], folder + "/none"], dimensions: 1)
            #expect(throws: UserError.self) {
                _ = try Tuning(
                    [TuningRule(selector: "language", method: method)], tree: decoder.model.parameters, seed: 1)
            }
        }
    }

    private static func subtract(_ direction: [Double], from vector: inout [Double]) {
        let dot = zip(direction, vector).reduce(0) { $0 + $1.0 * $1.1 }
        for index in vector.indices { vector[index] -= dot * direction[index] }
    }

    private func train(_ model: VisionLanguageModel, _ tuning: Tuning, steps: Int) -> [Double] {
        let gradients = GradientBuffer(tuning.added.entries.map(\.parameter))
        let optimizer = AdamW([tuning.added])
        let batch = TinyDecoder.sequences
        return (0..<steps).map { step in
            gradients.clear()
            tuning.begin(step: step)
            let loss = model.loss(batch)
            loss.backward()
            tuning.end()
            optimizer.step(
                [GroupRate(learningRate: 0.05, weightDecay: 0)], gradientScale: 1 / Double(batch.supervisedCount))
            return Double(loss.scalar) / Double(batch.supervisedCount)
        }
    }

    private func logits(_ model: VisionLanguageModel) -> [Float] {
        GradientRecording.disabled { model.language.logits(model.hiddenStates(TinyDecoder.sequences)).floats }
    }
}
