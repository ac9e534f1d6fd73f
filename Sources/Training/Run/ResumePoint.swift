import Basics
public import TensorCore
public import VisionLanguage

/// The newest complete checkpoint of a run.
public struct ResumePoint {
    /// Its folder, a model folder with the optimizer beside it.
    public let path: String
    let state: TrainingState
    /// The checkpoint before it; nil where it is the only one.
    private let older: String?

    /// Stage and step to continue from.
    public var description: String { "stage \(state.stageName), step \(state.step)" }

    /// Threads that the run was computed with so far: with as many, it ends with the bits of an uninterrupted one.
    public var threads: Int? { state.threads }

    /// Finds where a run stopped; nil when it has no checkpoint yet.
    public static func find(in folder: RunFolder, recipe: Recipe) throws -> ResumePoint? {
        var complete: [(stage: String, path: String)] = []
        for stage in recipe.stages {
            _ = try? Files.removeLeftovers(in: folder.checkpoints(of: stage.name))
            complete += try folder.completeCheckpoints(of: stage.name).map {
                (stage.name, folder.checkpoint(of: stage.name, step: $0))
            }
        }
        guard let (stage, path) = complete.popLast() else { return nil }
        let older = complete.last?.path
        let state = try reading(path, older: older) { try StageCheckpoint.state(in: path) }
        guard recipe.stages.indices.contains(state.stage), recipe.stages[state.stage].name == stage else {
            throw UserError(
                "\(path): this checkpoint is of another recipe, or damaged",
                fix: "resume with the recipe that the run was started with, or remove the checkpoint")
        }
        return ResumePoint(path: path, state: state, older: older)
    }

    /// Refuses another recipe than the one that the run was started with.
    public func check(_ recipe: Recipe, of folder: RunFolder) throws {
        guard state.recipeDigest == recipe.digest else {
            throw UserError(
                "\(folder.path): this run was started with another recipe",
                fix: "resume with the same recipe and the same --set, or name another folder with --output")
        }
    }

    /// Refuses a checkpoint after which the run has gone on, in a process that was at work while this one read the model.
    func requireNewest(_ recipe: Recipe, of folder: RunFolder) throws {
        guard try Self.find(in: folder, recipe: recipe)?.path == path else {
            throw UserError(
                "\(folder.path): another process has gone on with this run meanwhile",
                fix: "call this again, to go on from where it is now")
        }
    }

    /// The model as it was then; weights that the stage keeps as codes only stay in the file until it makes them.
    public func model(for recipe: Recipe, on backend: any Backend) throws -> ModelBundle {
        try reading { try ModelBundle.open(path, leaving: recipe.quantizedWeights(stage: state.stage), on: backend) }
    }

    /// Reads something of the checkpoint; an error says how to go on without it.
    func reading<Result>(_ body: () throws -> Result) throws -> Result {
        try Self.reading(path, older: older, body)
    }

    private static func reading<Result>(_ path: String, older: String?, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let problem as any Problem {
            // What the system refuses, such as memory, is no damage.
            if let error = problem as? FileError, !error.isMissing { throw error }
            throw UserError(
                problem.problem,
                fix: "restore it from a copy; or remove this checkpoint with: rm -r '\(path)', and --resume "
                    + (older.map { "goes on from \($0)" } ?? "starts from the beginning"))
        }
    }
}
