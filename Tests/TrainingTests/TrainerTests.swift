import Basics
import CPUBackend
import Checkpointing
import InstructionData
import TensorCore
import TestSupport
import Testing
import Training
import VisionLanguage

@Suite("Trainer")
struct TrainerTests {
    private func tensors(_ folder: String) throws -> [String: [UInt8]] {
        let file = try TensorFolder(folder)
        return try Dictionary(
            uniqueKeysWithValues: file.entries.map { entry in (entry.name, try file.withBytes(entry.name) { Array($0) })
            })
    }

    @Test func bothStagesLearnAndTheFrozenPartsStay() throws {
        try Fixtures.withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(["stages.align.steps=30", "stages.instruct.steps=30"])
            let start = try recipe.makeModel(on: CPUBackend(threads: 2))
            try start.write(to: Paths.join(folder, "start"))
            let losses = try run.train(recipe, in: "run")
            #expect(losses.count == 60)
            #expect(losses[29] < losses[0])
            #expect(losses[59] < 0.8 * losses[30])
            let before = try tensors(Paths.join(folder, "start"))
            let aligned = try tensors(Paths.join(folder, "run/checkpoints/align/step-30"))
            let final = try tensors(Paths.join(folder, "run/final"))
            #expect(before.keys.sorted() == final.keys.sorted())
            for (name, bytes) in before {
                let isProjector = name.contains("projector")
                #expect((aligned[name] == bytes) == !isProjector, "\(name) after align")
                let isTrained = name.contains("self_attn.q_proj.weight") && !name.contains("layers.1")
                if isTrained || isProjector { #expect(final[name] != aligned[name], "\(name) after instruct") }
            }
        }
    }

    @Test(arguments: [2, 6, 9])
    func aStoppedRunEndsWithTheSameBits(limit: Int) throws {
        try Fixtures.withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe()
            let whole = try run.train(recipe, in: "whole")
            let first = try run.train(recipe, in: "parts", stoppingAfter: limit)
            let rest = try run.train(recipe, in: "parts", resuming: true)
            #expect(whole.count == 12)
            #expect(first + rest == whole)
            #expect(try run.weights("parts") == run.weights("whole"))
        }
    }

    @Test func dividingABatchChangesOnlyTheOrderOfSums() throws {
        try Fixtures.withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let whole = try run.train(run.recipe(), in: "whole")
            let parts = try run.train(
                run.recipe(["stages.align.accumulate=2", "stages.instruct.accumulate=3"]), in: "parts")
            for (a, b) in zip(whole, parts) { #expect(abs(a - b) < 1e-4 * a) }
        }
    }

    @Test func recomputingActivationsChangesNoBit() throws {
        try Fixtures.withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            try run.train(run.recipe(), in: "kept")
            try run.train(run.recipe(["stages.instruct.recompute_activations=true"]), in: "recomputed")
            #expect(try run.weights("kept") == run.weights("recomputed"))
        }
    }

    @Test func aContrastiveStageLearnsStatements() throws {
        try Fixtures.withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let statements = Paths.join(folder, "shapes/train/statements.jsonl")
            let recipe = try run.recipe(
                [
                    "stages.align.objective=contrastive", "stages.align.train=[vision, language, contrastive]",
                    "stages.align.data=[\(statements)]", "stages.align.steps=40",
                ], stages: ["align"])
            let losses = try run.train(recipe, in: "run")
            #expect(losses.count == 40)
            #expect(losses[39] < 0.6 * losses[0])
        }
    }

    @Test func anotherRecipeDoesNotContinueARun() throws {
        try Fixtures.withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            try run.train(run.recipe(), in: "run", stoppingAfter: 2)
            let other = try run.recipe(["stages.align.learning_rate.peak=1.0e-3"])
            #expect { try run.train(other, in: "run", resuming: true) } throws: {
                ($0 as? any Problem)?.problem.contains("another recipe") == true
            }
        }
    }
}
