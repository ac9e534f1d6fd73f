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
        try withTemporaryFolder { folder in
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
        try withTemporaryFolder { folder in
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

    @Test func dataThatChangedIsToldWhenARunGoesOn() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe()
            try run.train(recipe, in: "run", stoppingAfter: 3)
            var notes: [String] = []
            try run.train(recipe, in: "run", resuming: true, stoppingAfter: 1) { notes.append($0) }
            #expect(notes.isEmpty)
            let path = Paths.join(folder, "shapes/train/captions.jsonl")
            let text = try Files.readText(path)
            try Files.write(text + (text.split(separator: "\n").first ?? "") + "\n", to: path)
            try run.train(recipe, in: "run", resuming: true, stoppingAfter: 1) { notes.append($0) }
            #expect(notes.count == 1 && notes[0].contains("align"))
        }
    }

    /// Data that was cut below what the run has seen of it would end the run for good.
    @Test func aRunWhoseDataWasCutIsNotFinishedWithoutAStep() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(["stages.align.steps=null", "stages.align.epochs=3"])
            let path = Paths.join(folder, "shapes/train/captions.jsonl")
            let whole = try Files.readText(path)
            // 24 captions: three epochs of three steps. Of five captions they are two steps.
            let first = try run.train(recipe, in: "run", stoppingAfter: 4)
            let cut = whole.split(separator: "\n").prefix(5).joined(separator: "\n") + "\n"
            try Files.write(cut, to: path)
            #expect { try run.train(recipe, in: "run", resuming: true) } throws: {
                let problem = $0 as? any Problem
                return problem?.problem.contains("stage \"align\"") == true
                    && problem?.fix?.contains("run/checkpoints/align/step-4") == true
            }
            #expect(!RunFolder(Paths.join(folder, "run")).isFinished)
            try Files.write(whole, to: path)
            let rest = try run.train(recipe, in: "run", resuming: true, stoppingAfter: 5)
            // The stage is done now, and stays so.
            try Files.write(cut, to: path)
            var notes: [String] = []
            let next = try run.train(recipe, in: "run", resuming: true) { notes.append($0) }
            #expect(notes.isEmpty)
            try Files.write(whole, to: path)
            #expect(try run.train(recipe, in: "whole") == first + rest + next)
            #expect(try run.weights("run") == run.weights("whole"))
        }
    }

    @Test func dividingABatchChangesOnlyTheOrderOfSums() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let whole = try run.train(run.recipe(), in: "whole")
            let parts = try run.train(
                run.recipe(["stages.align.accumulate=2", "stages.instruct.accumulate=3"]), in: "parts")
            let packs = try run.train(
                run.recipe(["stages.align.pack_tokens=60", "stages.instruct.pack_tokens=1"]), in: "packs")
            #expect(packs != whole)
            for losses in [parts, packs] {
                for (a, b) in zip(whole, losses) { #expect(abs(a - b) < 1e-4 * a) }
            }
        }
    }

    @Test func recomputingActivationsChangesNoBit() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            try run.train(run.recipe(), in: "kept")
            try run.train(run.recipe(["stages.instruct.recompute_activations=true"]), in: "recomputed")
            #expect(try run.weights("kept") == run.weights("recomputed"))
        }
    }

    @Test func aContrastiveStageLearnsStatements() throws {
        try withTemporaryFolder { folder in
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

    @Test func theBestAndTheLastCheckpointsStay() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let shapes = Paths.join(folder, "shapes/train/records.jsonl")
            // A rate of nearly nothing at first, then one that spoils the model: the best is an early step.
            let recipe = try run.recipe(
                [
                    "stages.instruct.steps=12", "stages.instruct.evaluate={data: \(shapes), limit: 4, every: 2}",
                    "stages.instruct.learning_rate={peak: 3.0, warmup: 0.9}", "stages.instruct.checkpoint_keep=1",
                ])
            try run.train(recipe, in: "run")
            let summary = try JSON.read(Paths.join(folder, "run/summary.json"))
            let best = try #require(summary["stages"]?.array?.last?["best_step"]?.int)
            #expect(best < 12)
            let kept = try Files.list(Paths.join(folder, "run/checkpoints/instruct"))
            #expect(Set(kept) == ["step-12", "step-\(best)"])
        }
    }

    @Test func missingFilesOfALaterStageAreToldAtOnce() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe([
                "stages.instruct.data=[\(folder)/none.jsonl]",
                "stages.align.evaluate={data: \(folder)/nor.jsonl}",
            ])
            #expect { try run.train(recipe, in: "run") } throws: {
                let problem = ($0 as? any Problem)?.problem ?? ""
                return problem.contains("none.jsonl") && problem.contains("nor.jsonl")
            }
            #expect(!Files.exists(Paths.join(folder, "run")))
        }
    }

    /// A checkpoint whose numbers cannot be is an error that names it, not a trap.
    @Test(arguments: [
        "stage", "step", "position", "optimizer_steps", "metrics_bytes", "evaluation_bytes",
    ])
    func damagedStatesAreRefused(key: String) throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            try run.train(run.recipe(), in: "run", stoppingAfter: 2)
            let file = Paths.join(folder, "run/checkpoints/align/step-2/state.json")
            let state = try #require(try JSON.read(file).object)
            for value in [JSON.integer(-1), .integer(.max), .integer(.min), .number(0.5), .string("2"), .null] {
                var damaged = state
                damaged[key] = value
                try Files.write(JSON.object(damaged).serialized(), to: file)
                #expect("\(key) is \(value.serialized())") {
                    try run.train(run.recipe(), in: "run", resuming: true)
                } throws: {
                    ($0 as? any Problem)?.problem.contains("run/checkpoints/align/step-2") == true
                }
            }
        }
    }

    /// The way out of a damaged checkpoint is the one before it.
    @Test(arguments: ["model.safetensors", "optimizer.safetensors", "state.json"])
    func aDamagedCheckpointNamesTheOneBefore(file: String) throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(["stages.align.checkpoint_every=2"])
            try run.train(recipe, in: "run", stoppingAfter: 5)
            let checkpoints = Paths.join(folder, "run/checkpoints/align")
            func fix() -> String? {
                do { try run.train(recipe, in: "run", resuming: true, stoppingAfter: 1) } catch {
                    return (error as? any Problem)?.fix
                }
                return nil
            }
            func damage(_ step: Int) throws {
                let path = Paths.join(checkpoints, "step-\(step)", file)
                try Files.write(Array(try Files.read(path).prefix(40)), to: path)
            }
            try damage(5)
            #expect(fix()?.hasSuffix("goes on from \(checkpoints)/step-4") == true)
            for step in [2, 5] { try? Files.remove(Paths.join(checkpoints, "step-\(step)")) }
            try damage(4)
            #expect(fix()?.hasSuffix("starts from the beginning") == true)
        }
    }

    /// Codes of moments are no numbers, though as many bytes.
    @Test func momentsOfAnotherKindAreRefused() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(["stages.align.optimizer=adamw8bit", "stages.align.train=[language]"])
            try run.train(recipe, in: "run", stoppingAfter: 3)
            let path = Paths.join(folder, "run/checkpoints/align/step-3/optimizer.safetensors")
            var bytes = try Files.read(path)
            guard let element = bytes.firstRange(of: Array("\"I32\"".utf8)) else {
                Issue.record("no moments in 8 bits")
                return
            }
            bytes.replaceSubrange(element, with: Array("\"F32\"".utf8))
            try Files.write(bytes, to: path)
            let refusal = problem { try run.train(recipe, in: "run", resuming: true) }
            #expect(refusal?.problem.contains("holds float32") == true, "\(String(describing: refusal))")
        }
    }

    /// Figures of stages that are done can be lost; the run cannot.
    @Test func aDamagedSummaryIsNoReasonToTrainAgain() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe()
            let first = try run.train(recipe, in: "run", stoppingAfter: 8)
            let summary = Paths.join(folder, "run/summary.json")
            try Files.write(Array(try Files.read(summary).dropLast(30)), to: summary)
            let error = try #require(throws: UserError.self) { try run.train(recipe, in: "run", resuming: true) }
            #expect(error.problem.contains("run/summary.json:") && error.fix?.hasPrefix("remove this file") == true)
            try Files.remove(summary)
            let rest = try run.train(recipe, in: "run", resuming: true)
            #expect(first.count + rest.count == 12)
            #expect(try JSON.read(summary)["stages"]?.array?.compactMap { $0["name"]?.string } == ["instruct"])
        }
    }

    @Test func anotherRecipeDoesNotContinueARun() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            try run.train(run.recipe(), in: "run", stoppingAfter: 2)
            let other = try run.recipe(["stages.align.learning_rate.peak=1.0e-3"])
            #expect { try run.train(other, in: "run", resuming: true) } throws: {
                ($0 as? any Problem)?.problem.contains("another recipe") == true
            }
        }
    }

    @Test func dataThatCannotBeUsedLeaveNoFolder() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let captions = Paths.join(folder, "shapes/train/captions.jsonl")
            let good = try Files.readText(captions)
            let recipe = try run.recipe(stages: ["align"])
            try Files.write("{\"id\": 1\n", to: captions)
            #expect { try run.train(recipe, in: "run") } throws: {
                ($0 as? any Problem)?.problem.contains("captions.jsonl:1") == true
            }
            #expect(!Files.exists(Paths.join(folder, "run")), "the next call is not told of a run")
            // What was trained stays, whatever happens afterwards.
            try Files.write(good, to: captions)
            try run.train(recipe, in: "run", stoppingAfter: 2)
            let other = try run.recipe(["stages.align.learning_rate.peak=1.0e-3"], stages: ["align"])
            #expect(throws: (any Error).self) { try run.train(other, in: "run", resuming: true) }
            #expect(Files.exists(Paths.join(folder, "run/checkpoints/align/step-2/state.json")))
        }
    }
}
