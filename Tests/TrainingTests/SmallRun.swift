import Basics
import CPUBackend
import InstructionData
import TestSupport
import Training
import VisionLanguage

/// A whole run that takes a second: two stages over a few drawn pictures, with a tower and a decoder of two blocks.
struct SmallRun {
    let folder: String

    /// Draws the pictures.
    init(_ folder: String) throws {
        self.folder = folder
        var world = ShapeWorld(count: 24, seed: 5)
        world.counts = [.train: 24]
        try world.write(to: Paths.join(folder, "shapes"), workers: 2)
    }

    func recipe(_ changes: [String] = [], stages: [String]? = nil) throws -> Recipe {
        let shapes = Paths.join(folder, "shapes/train")
        let text = """
            model:
              vision: {model_type: siglip_vision_model, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2,
                num_attention_heads: 2, image_size: 32, patch_size: 8, vision_use_head: false}
              language: {model_type: llama, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2,
                num_attention_heads: 2, num_key_value_heads: 1, vocab_size: 512, tie_word_embeddings: true}
              projector: mlp2x_gelu
              tokenizer: \(Fixtures.repository)/Models/pebble
              template: vicuna_v1
            seed: 3
            stages:
              - name: align
                train: [projector]
                template: plain
                data: [\(shapes)/captions.jsonl]
                learning_rate: {peak: 1.0e-2}
                batch_size: 8
                steps: 6
              - name: instruct
                train: [vision, projector, language]
                data: [\(shapes)/records.jsonl]
                learning_rate: {peak: 5.0e-3}
                batch_size: 6
                shuffle_turns: true
                augment: {flip: true, shift: 2}
                steps: 6
            """
        return try Recipe.parse(text, source: "small.yaml", overrides: changes, stages: stages)
    }

    /// Runs, or continues, and gives the losses it saw.
    @discardableResult
    func train(
        _ recipe: Recipe, in name: String, resuming: Bool = false, stoppingAfter limit: Int = .max,
        bundle: ModelBundle? = nil, noting note: @escaping (String) -> Void = { _ in }
    ) throws -> [Double] {
        let run = RunFolder(Paths.join(folder, name))
        let backend = CPUBackend(threads: 2)
        let point = resuming ? try ResumePoint.find(in: run, recipe: recipe) : nil
        let bundle =
            try bundle ?? point?.model(for: recipe, on: backend) ?? recipe.makeModel(on: backend)
        var losses: [Double] = []
        let trainer = Trainer(recipe, bundle: bundle, folder: run, workers: 1) { event in
            if case .step(let report) = event { losses.append(report.loss) }
            if case .note(let text) = event { note(text) }
            return losses.count >= limit ? .stop : .proceed
        }
        _ = try trainer.run(resuming: point)
        return losses
    }

    func weights(_ name: String) throws -> [UInt8] {
        try Files.read(Paths.join(folder, "\(name)/final/model.safetensors"), limit: .max)
    }
}
