import Basics
import CPUBackend
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Training
import Tuning
import VisionLanguage

/// Stages with `tune:`, from the recipe to the finished folder.
@Suite("Tuned runs")
struct TunedRunTests {
    private static let choices = [
        "{language: {method: lora, rank: 4, dropout: 0.1, rate_ratio: 8}, projector: full, vision: bitfit}",
        "{language: {method: lora, rank: 2, dora: true}, vision: {method: lora, init: pissa}}",
        "{language: {method: ia3}, vision: [norms, bottleneck]}", "{language: {method: prompt, tokens: 4}}",
        "{language: {method: prefix, tokens: 4}, projector: full}", "{language: {method: ptuning, tokens: 4}}",
        "{language: {method: qlora, rank: 4}}",
        "{language: {method: vera, rank: 16}, vision: {method: intrinsic, dimensions: 100}}",
        "{language: {method: lora, rank: 4, rslora: true, init: pissa}}",
        "{language: {method: qlora, rank: 4, base: fp4, double: false}}",
        "{language: {method: qlora, rank: 4, base: int8}}",
        "{language: {method: bottleneck, size: 8, placement: pfeiffer}}",
        "{language: {method: hint, instructions: [Answer the question.], rank: 2}}",
        "{language: {method: layers, top: 1}}", "{language: [{method: bitfit, norms: true}], projector: full}",
        "{language: full}",
    ]

    private func changes(_ tune: String) -> [String] {
        ["stages.instruct.train=[]", "stages.instruct.tune=\(tune)", "stages.instruct.learning_rate={peak: 1.0e-2}"]
    }

    @Test(arguments: choices)
    func learnsAndResumesToTheSameBits(tune: String) throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(changes(tune) + ["stages.instruct.steps=10"])
            let whole = try run.train(recipe, in: "whole")
            let first = try run.train(recipe, in: "parts", stoppingAfter: 9)
            let rest = try run.train(recipe, in: "parts", resuming: true)
            #expect(first + rest == whole)
            #expect(try run.weights("parts") == run.weights("whole"))
            let adapter = "adapters/instruct/adapter_model.safetensors"
            #expect(
                try Files.read(Paths.join(folder, "parts", adapter))
                    == Files.read(Paths.join(folder, "whole", adapter)))
            #expect(whole[15] < whole[6], "\(whole)")

            // The model that the adapter names with the adapter on top is the finished model.
            let backend = CPUBackend(threads: 2)
            let file = try AdapterFile(Paths.join(folder, "whole/adapters/instruct"))
            let noted = try #require(file.configuration["base_model_name_or_path"]?.string)
            let base = try ModelBundle.open(noted, on: backend)
            let tuning = try file.attach(to: base.model.parameters, table: base.keyTable)
            #expect(noted == Paths.join(folder, "whole/checkpoints/align/step-6"))
            let final = try ModelBundle.open(Paths.join(folder, "whole/final"), on: backend)
            guard tuning.mergeObstacle == nil else {
                #expect(Files.exists(Paths.join(folder, "whole/final/adapter/adapter_config.json")))
                return
            }
            try tuning.merge()
            for (a, b) in zip(base.model.parameters.entries, final.model.parameters.entries) {
                expectClose(a.parameter.value.floats, b.parameter.value.floats, .ofScale(1e-6), a.path)
            }
        }
    }

    /// An adapter on weights that are in no folder says of which run they were.
    @Test func anAdapterOnWeightsThatAreNotKeptSaysSo() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let low = "{language: {method: lora, rank: 2}}"
            let recipe = try run.recipe(["stages.align.train=[]", "stages.align.tune=\(low)"] + changes(low))
            _ = try run.train(recipe, in: "run")
            func noted(_ run: String, _ stage: String) throws -> String? {
                try AdapterFile(Paths.join(folder, run, "adapters", stage)).configuration["base_model_name_or_path"]?
                    .string
            }
            for stage in ["align", "instruct"] {
                #expect(try noted("run", stage) == "\(recipe.source) before its stage \(stage)")
            }
            // Prompts leave the weights as they were.
            let prompts = try run.recipe(changes("{language: {method: prompt, tokens: 4}}"), stages: ["instruct"])
            _ = try run.train(prompts, in: "prompts")
            #expect(try noted("prompts", "instruct") == Paths.join(folder, "prompts/final"))
            let trained = try run.recipe(
                changes("{language: {method: prompt, tokens: 4}, projector: full}"), stages: ["instruct"])
            _ = try run.train(trained, in: "trained")
            #expect(try noted("trained", "instruct") == "\(trained.source) before its stage instruct")
        }
    }

    /// Weights that were codes in one stage are trained in the next as those of a checkpoint are, of which one product serves neighbours.
    @Test(arguments: [
        "{language: {method: qlora, rank: 4}}", "{language: {method: qlora, rank: 4, base: int8}}",
        "{language.layers.*.attention.query: {method: qlora, rank: 2}, vision: {method: qlora, rank: 2}}",
    ])
    func aStageAfterQuantizedOnesResumesToTheSameBits(tune: String) throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe([
                "stages.align.train=[]", "stages.align.tune=\(tune)", "stages.instruct.steps=8",
            ])
            let whole = try run.train(recipe, in: "whole")
            let first = try run.train(recipe, in: "parts", stoppingAfter: 9)
            let rest = try run.train(recipe, in: "parts", resuming: true)
            #expect(first + rest == whole)
            #expect(try run.weights("parts") == run.weights("whole"))
        }
    }

    /// A base whose weights stay in the file until they are quantised, one after another, trains to the bits of one that was whole in
    /// memory before.
    @Test(arguments: [
        "{language: {method: qlora, rank: 4}}", "{language: {method: qlora, rank: 4, targets: [q_proj, v_proj]}}",
        "{language: {method: qlora, rank: 4, base: int8}, vision: {method: qlora, rank: 2, base: fp4, double: false}}",
    ])
    func aBaseThatStaysInItsFileTrainsToTheSameBits(tune: String) throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let base = Paths.join(folder, "base")
            try run.recipe().makeModel(on: CPUBackend(threads: 1)).write(to: base, element: .bfloat16)
            let recipe = try run.recipe(["model=\(base)"] + changes(tune), stages: ["instruct"])
            let backends = [CPUBackend(threads: 2), CPUBackend(threads: 2)]
            let (left, whole) = try (recipe.makeModel(on: backends[0]), ModelBundle.open(base, on: backends[1]))
            let waiting = left.model.parameters.entries.filter { $0.parameter.source != nil }
            #expect(waiting.count == (tune.contains("vision") ? 26 : 14))
            for (a, b) in zip(left.model.parameters.entries, whole.model.parameters.entries) {
                #expect(a.parameter.value.floats == b.parameter.value.floats, "\(a.path)")
            }
            let floats = waiting.reduce(0) { $0 + 4 * $1.parameter.count }
            #expect(backends[0].usedBytes <= backends[1].usedBytes - floats / 2)
            #expect(try run.train(recipe, in: "left", bundle: left) == run.train(recipe, in: "whole", bundle: whole))
            #expect(try run.weights("left") == run.weights("whole"))
            let adapter = "adapters/instruct/adapter_model.safetensors"
            #expect(
                try Files.read(Paths.join(folder, "left", adapter))
                    == Files.read(Paths.join(folder, "whole", adapter)))
        }
    }

    /// A number that is none is found when the folder is opened, though nothing is kept of the weight.
    @Test func aBaseThatStaysInItsFileIsChecked() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let base = Paths.join(folder, "base")
            let bundle = try run.recipe().makeModel(on: CPUBackend(threads: 1))
            let weight = try #require(bundle.model.parameters["language.layers.1.feedForward.down.weight"])
            weight.value.floatPointer[7] = .nan
            try bundle.write(to: base)
            let recipe = try run.recipe(
                ["model=\(base)"] + changes("{language: {method: qlora, rank: 4}}"), stages: ["instruct"])
            let error = #expect(throws: CheckpointError.self) { try recipe.makeModel(on: CPUBackend(threads: 1)) }
            #expect(error?.problem.contains("element 7 is not a finite number") == true)
        }
    }

    @Test(arguments: [
        "adamw8bit", "adafactor", "lion", "muon", "{name: galore, rank: 4, interval: 3}", "lomo", "adalomo",
    ])
    func everyOptimizerLearnsAndResumesToTheSameBits(optimizer: String) throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let peak =
                optimizer == "lomo" ? "1.0" : optimizer == "lion" ? "2.0e-3" : optimizer == "adalomo" ? "0.1" : "1.0e-2"
            let recipe = try run.recipe([
                "stages.instruct.optimizer=\(optimizer)", "stages.instruct.learning_rate={peak: \(peak)}",
                "stages.instruct.steps=10", "stages.instruct.recompute_activations=true",
            ])
            let whole = try run.train(recipe, in: "whole")
            let first = try run.train(recipe, in: "parts", stoppingAfter: 9)
            let rest = try run.train(recipe, in: "parts", resuming: true)
            #expect(first + rest == whole)
            #expect(try run.weights("parts") == run.weights("whole"))
            #expect(whole[15] < 0.99 * whole[6], "\(whole)")
        }
    }

    @Test func sampledLayersResumeToTheSameBits() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(changes("{language: {method: layers, sample: 1, interval: 2}}"))
            let whole = try run.train(recipe, in: "whole")
            let first = try run.train(recipe, in: "parts", stoppingAfter: 9)
            let rest = try run.train(recipe, in: "parts", resuming: true)
            #expect(first + rest == whole)
            #expect(try run.weights("parts") == run.weights("whole"))
        }
    }

    @Test func faultsOfMethodsAreReportedTogether() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let error = try #require(throws: RecipeError.self) {
                _ = try run.recipe(
                    changes("{language: {method: lroa}, vision: {method: lora, rnak: 4}, projector: {rank: 2}}"))
            }
            let fixes = error.faults.compactMap(\.fix)
            #expect(error.faults.count == 3)
            #expect(fixes.contains("write \"lora\""))
            #expect(fixes.contains("write \"rank\""))
        }
    }

    @Test func whatCannotBeMergedMustBeLast() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(["stages.align.train=[]", "stages.align.tune={language: prompt}"])
            let error = try #require(throws: UserError.self) { try run.train(recipe, in: "run") }
            #expect(error.fix?.contains("last stage") == true)
        }
    }
}
