import Basics

/// The newest complete checkpoint of a run.
public struct ResumePoint {
    /// Its folder, a model folder with the optimizer beside it.
    public let path: String
    let state: TrainingState

    /// Stage and step to continue from.
    public var description: String { "stage \(state.stageName), step \(state.step)" }

    /// Threads that the run was computed with so far: with as many, it ends with the bits of an uninterrupted one.
    public var threads: Int? { state.threads }

    /// Finds where a run stopped; nil when it has no checkpoint yet.
    public static func find(in folder: RunFolder, recipe: Recipe) throws -> ResumePoint? {
        for stage in recipe.stages.reversed() {
            _ = try? Files.removeLeftovers(in: folder.checkpoints(of: stage.name))
            guard let step = try folder.completeCheckpoints(of: stage.name).last else { continue }
            let path = folder.checkpoint(of: stage.name, step: step)
            let state = try StageCheckpoint.state(in: path)
            guard recipe.stages.indices.contains(state.stage), recipe.stages[state.stage].name == stage.name else {
                throw UserError(
                    "\(path): this checkpoint is of another recipe, or damaged",
                    fix: "resume with the recipe that the run was started with, or remove the checkpoint")
            }
            return ResumePoint(path: path, state: state)
        }
        return nil
    }
}
