import Basics
import NeuralNetwork
import VisionLanguage

extension Trainer {
    /// Opens all data, fits every pattern to the model, and tells of each stage, without training: what `--dry-run` does.
    public func check() throws {
        let scratch = RunFolder(try Files.makeTemporaryDirectory())
        defer { try? Files.remove(scratch.path) }
        for (index, stage) in recipe.stages.enumerated() {
            let context = StageContext(bundle: bundle, seed: recipe.seed, folder: scratch, workers: 1)
            let task = try makeTask(stage, context, from: 0)
            var tree = bundle.model.parameters
            tree.append(task.extraParameters, under: "contrastive")
            let parts = try TrainableParts(stage, tree)
            if let evaluation = stage.evaluation, evaluation.metrics.isEmpty { _ = try StageData.open(evaluation.data) }
            _ = observe(
                .stageStarted(outline(index, stage, parts, tree, totalSteps: task.totalSteps, doneSteps: 0)))
        }
    }
}
