import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tokenization
import VisionLanguage

private let goldenModels = Fixtures.golden(holding: "samples.json", "training.json", "io.safetensors")

/// Whole models against PyTorch and transformers: logits, loss, every gradient, forty steps of two-stage training, captions.
@Suite("Golden models", .enabled(if: !goldenModels.isEmpty))
struct GoldenModelTests {
    private let backend = TestBackend.cpu.make()

    @Test(arguments: goldenModels)
    func forwardAndGradients(folder: String) throws {
        let golden = try GoldenModel(folder, on: backend)
        let batch = try golden.packed(golden.batches[0])
        let features = GradientRecording.disabled { golden.model.visualTokens(batch.pictures[0]) }
        expectClose(
            features.floats, try golden.io.floats("image_features"),
            .absolute(golden.tolerance("io", "image_features")),
            "image features")
        let hidden = GradientRecording.disabled { golden.model.hiddenStates(batch) }
        try compareLogits(golden, batch, golden.model.language.logits(hidden).floats)
        let loss = golden.model.loss(batch, scale: 1 / Float(batch.supervisedCount))
        loss.backward()
        expectClose(
            [loss.scalar], try golden.io.floats("loss"), .absolute(golden.tolerance("io", "loss")), "loss")

        let gradients = try TensorFile(Paths.join(folder, "grads.safetensors"))
        var compared = 0
        for (path, parameter) in golden.model.parameters.entries {
            guard let key = golden.table.key(ofParameter: path) else {
                Issue.record("no key for \(path)")
                continue
            }
            guard let name = Self.spellings(of: key).first(where: gradients.contains) else {
                // Layers beyond the feature layer get no gradient in either.
                #expect(parameter.gradient == nil, "\(path) has a gradient, \(key) has none")
                continue
            }
            let gradient = try #require(parameter.gradient, "\(path) has no gradient")
            expectClose(
                gradient.floats, try gradients.floats(name), .absolute(golden.tolerance("grads", name)), "\(path)")
            compared += 1
        }
        #expect(compared == gradients.entries.count)
    }

    /// A key as the writers of fixtures spell it, with and without the tower's `vision_model`.
    private static func spellings(of key: String) -> [String] {
        [
            key, key.replacing("vision_tower.", with: "vision_tower.vision_model."),
            key.replacing("vision_model.", with: ""),
        ]
    }

    /// Padded rows of the fixture have no counterpart in a packed batch; the others follow each other.
    private func compareLogits(_ golden: GoldenModel, _ batch: PackedBatch, _ logits: [Float]) throws {
        let shape = try golden.io.entry("logits").shape
        let expected = try golden.io.floats("logits")
        for (sequence, index) in golden.batches[0].enumerated() {
            let count = golden.samples[index].ids.count * shape[2]
            let start = Int(batch.offsets[sequence]) * shape[2]
            let other = sequence * shape[1] * shape[2]
            expectClose(
                Array(logits[start..<start + count]), Array(expected[other..<other + count]),
                .absolute(golden.tolerance("io", "logits")), "logits of sequence \(sequence)")
        }
    }

    @Test(arguments: goldenModels)
    func twoStageTraining(folder: String) throws {
        let golden = try GoldenModel(folder, on: backend)
        let training = try JSON.read(Paths.join(folder, "training.json"))
        let lossTolerance = try #require(training["tolerance"]?["loss"]?.double)
        let normTolerance = try #require(training["tolerance"]?["grad_norm_relative"]?.double)
        let steps = try #require(training["steps"]?.array)
        let settings = training["adamw"]
        let betas = (settings?["betas"]?.array ?? [0.9, 0.999]).compactMap(\.double)
        let decay = settings?["weight_decay"]?.double ?? 0
        var next = 0
        for stage in try #require(training["stages"]?.array) {
            let parts = (stage["train"]?.array ?? []).compactMap(\.string)
            for entry in golden.model.parameters.entries {
                entry.parameter.isTrainable = parts.contains { entry.path.hasPrefix($0 + ".") }
            }
            let trainable = golden.model.parameters.trainable
            // One group in the fixture: with weight decay, norms and biases decay too.
            for entry in trainable.entries { entry.parameter.decays = true }
            let gradients = GradientBuffer(trainable.entries.map(\.parameter))
            let optimizer = AdamW(
                [trainable], beta1: betas[0], beta2: betas[1], epsilon: settings?["eps"]?.double ?? 1e-8)
            let count = stage["steps"]?.int ?? 0
            let schedule = Schedule(
                peak: stage["lr"]?.double ?? 0, warmup: stage["warmup_ratio"]?.double ?? 0, totalSteps: count,
                decay: .cosine)
            for step in 0..<count {
                let expected = steps[next]
                next += 1
                gradients.clear()
                let batch = try golden.packed(golden.batches[expected["batch"]?.int ?? 0])
                let loss = golden.model.loss(batch)
                loss.backward()
                let weight = Double(batch.supervisedCount)
                let norm = gradients.norm / weight
                let rate = schedule.rate(at: step)
                #expect(abs(rate - (expected["lr"]?.double ?? -1)) <= 1e-12, "rate of step \(step)")
                #expect(
                    abs(Double(loss.scalar) / weight - (expected["loss"]?.double ?? 0)) <= lossTolerance,
                    "loss of step \(step): \(Double(loss.scalar) / weight), expected \(expected["loss"]?.double ?? 0)")
                let reference = expected["grad_norm"]?.double ?? 0
                // Ten times the fixture's own rounding: the norm after 20 steps carries that of the weights too.
                #expect(abs(norm - reference) <= 10 * normTolerance * reference, "gradient norm of step \(step)")
                let clip = GradientBuffer.clipFactor(norm: norm, limit: stage["clip"]?.double)
                optimizer.step([GroupRate(learningRate: rate, weightDecay: decay)], gradientScale: clip / weight)
            }
            try expectTrained(golden, stage["name"]?.string ?? "")
        }
        #expect(next == steps.count)
    }

    /// The weights after a stage, where the folder has them.
    private func expectTrained(_ golden: GoldenModel, _ stage: String) throws {
        let path = Paths.join(golden.folder, "trained.safetensors")
        guard Files.exists(path) else { return }
        let trained = try TensorFile(path)
        var compared = 0
        for (path, parameter) in golden.model.parameters.entries {
            let key = try #require(golden.table.key(ofParameter: path), "no key for \(path)")
            let names = Self.spellings(of: key).map { "\(stage).\($0)" }
            guard let name = names.first(where: trained.contains) else { continue }
            // Adam divides by the gradient's own size, so that an element without much gradient moves by its rounding.
            expectClose(
                parameter.value.floats, try trained.floats(name), .absolute(3 * golden.tolerance("trained", name)),
                "\(path) after \(stage)")
            compared += 1
        }
        #expect(compared == trained.entries.count { $0.name.hasPrefix(stage + ".") }, "\(stage)")
        try expectCaptions(golden, "after \(stage)")
    }

    @Test(arguments: goldenModels)
    func greedyCaptions(folder: String) throws {
        try expectCaptions(GoldenModel(folder, on: backend), "before")
    }

    /// The template of a model's folder gives the prompt that the peer's processor makes.
    @Test(arguments: goldenModels)
    func folderTemplatesGiveThePrompt(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let json = try JSON.read(Paths.join(folder, "captions.json"))
        guard Files.exists(Paths.join(checkpoint, "chat_template.jinja")), let prompt = json["prompt"]?.string else {
            return
        }
        let bundle = try ModelBundle.open(checkpoint, on: backend)
        let ids = try #require(json["input_ids"]?.array).map { Int32($0.int ?? 0) }
        let ending = " ASSISTANT:"
        guard prompt.hasSuffix(ending), let body = prompt.split(separator: "\n", maxSplits: 1).last else { return }
        let conversation = Conversation([Turn(role: .user, content: "<image>\n\(body.dropLast(ending.count))")])
        let rendered = try bundle.template(named: nil).renderPrompt(
            conversation, tokenizer: bundle.tokenizer, imageTokenCounts: [bundle.imageTokenCount],
            imageTokenID: bundle.imageTokenID)
        #expect(rendered.ids == ids)
    }

    private func expectCaptions(_ golden: GoldenModel, _ stage: String) throws {
        let json = try JSON.read(Paths.join(golden.folder, "captions.json"))
        let prompt = try #require(json["input_ids"]?.array).map { Int32($0.int ?? 0) }
        let ids = prompt.map { Int($0) == golden.imageToken ? -1 : $0 }
        let rows = prompt.indices.filter { Int(prompt[$0]) == golden.imageToken }.map { Int32($0) }
        let captions = try #require(json["captions"]?[stage]?.object, "no captions \(stage)")
        let prompts = try captions.keys.map { name in
            let shape = try golden.io.entry("pixel_values.\(name)").shape
            let pixels = try golden.io.floats("pixel_values.\(name)")
            return Prompt(
                ids: ids,
                pictures: [PictureGroup(height: shape[1], width: shape[2], count: 1, pixels: pixels, rows: rows)])
        }
        let settings = GenerationSettings(maximumNewTokens: json["max_new_tokens"]?.int ?? 1)
        let together = Generator(golden.model).generate(prompts, settings)
        for (index, caption) in captions.enumerated() {
            let expected = (caption.value["tokens"]?.array ?? []).map { Int32($0.int ?? 0) }
            let found = Array(together[index].ids.prefix(expected.count))
            #expect(found == expected, "\(caption.key)")
            #expect(Generator(golden.model).generate([prompts[index]], settings)[0] == together[index], "alone")
        }
    }
}
