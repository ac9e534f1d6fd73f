import Basics
import NeuralNetwork
import TensorCore
import VisionLanguage

extension Trainer {
    /// Weights, gradients and optimizer state must fit before anything is allocated for them; activations come on top.
    static func requireMemory(
        _ stage: StageRecipe, _ tree: ParameterTree, _ parts: TrainableParts,
        of machine: Int = ProcessMemory.machineBytes
    ) throws(UserError) {
        let weights = tree.entries.reduce(0) { sum, entry in
            let parameter = entry.parameter
            // Weights that wait in a file become codes, of a byte at most.
            return sum
                + (parameter.source == nil ? parameter.value.dtype.byteCount(of: parameter.count) : parameter.count)
        }
        let trainable = parts.groups.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.parameter.count } }
        let needed = weights + trainable * 12
        guard needed > machine else { return }
        throw UserError(
            "stage \"\(stage.name)\": weights, gradients and optimizer take \(MemoryExhaustion.gibibytes(needed)), "
                + "and this machine has \(MemoryExhaustion.gibibytes(machine))",
            fix: "train fewer parts (train: [projector]), or take a smaller model")
    }

    /// Every file that a stage from `first` on reads is there: nobody waits for stage one to learn that stage two has no data.
    func requireFiles(from first: Int) throws {
        let missing = recipe.stages[first...].flatMap { stage in
            let evaluation = stage.evaluation.map { [("evaluate.data", $0.data)] } ?? []
            return (stage.data.map { ("data", $0) } + evaluation).filter { !Files.exists($0.1.path) }.map {
                "stage \"\(stage.name)\": \($0.0): \($0.1.path) is not there"
            }
        }
        guard missing.isEmpty else {
            throw UserError(
                missing.joined(separator: "\n"),
                fix: "check the paths; they are relative to the folder that vitrail is called in")
        }
    }

    /// What stages from `first` on are measured on can be used.
    func requireEvaluations(from first: Int) throws {
        let context = StageContext(bundle: bundle, seed: recipe.seed, folder: folder, workers: 1)
        for stage in recipe.stages[first...] {
            guard let evaluation = stage.evaluation else { continue }
            do { try StageEvaluation(evaluation, stage, context, evaluateAnswers).check() } catch let problem
                as any Problem
            {
                throw UserError(
                    "stage \"\(stage.name)\": evaluate.data: \(problem.problem)",
                    fix: "correct it; or name conversations, as the stage trains on, or questions with metrics: [exact]"
                )
            }
        }
    }

    /// A run that was to go on, and whose stage asks for fewer steps of the data that is there now than were done: ending it would
    /// be final, and the data may have been cut by mistake.
    func nothingLeft(of task: any StageTask, _ state: TrainingState, _ checkpoint: ResumePoint?) -> UserError {
        UserError(
            "stage \"\(state.stageName)\": its data changed, and nothing of it is left to train on: \(state.step.counted("step")) done, and "
                + "of what is there now the recipe asks for \(min(task.totalSteps, state.step))",
            fix:
                "put the data back as it was and resume; or train on what is there now in another folder, with --output, where "
                + "model: \(checkpoint?.path ?? folder.path) starts with what was learned so far")
    }

    /// Opens all data, fits every pattern to the model, and tells of each stage, without training: what `--dry-run` does.
    public func check() throws {
        try requireFiles(from: 0)
        try requireEvaluations(from: 0)
        let scratch = RunFolder(try Files.makeTemporaryDirectory())
        defer { try? Files.remove(scratch.path) }
        for (index, stage) in recipe.stages.enumerated() {
            let context = StageContext(bundle: bundle, seed: recipe.seed, folder: scratch, workers: 1)
            let task = try Self.task(stage, context)
            var tree = bundle.model.parameters
            tree.append(task.extraParameters, under: "contrastive")
            let tuning = try StageTuning(stage, index, recipe, bundle, seed: recipe.seed, digest: "")
            defer { tuning?.finish() }
            let parts = try TrainableParts(stage, tree, tuning: tuning?.tuning)
            try Self.requireMemory(stage, tree, parts)
            _ = observe(
                .stageStarted(outline(index, stage, parts, tree, totalSteps: task.totalSteps, doneSteps: 0)))
        }
    }
}
