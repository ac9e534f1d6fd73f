import Basics

/// Where a run keeps what it makes.
///
///     recipe.yaml          the recipe with overrides and defaults
///     metrics.jsonl        one line an optimizer step
///     rejections.jsonl     records that were left out, with the reason; those of an evaluation are marked
///     checkpoints/<stage>/step-N/
///     adapters/<stage>/    what the methods of a stage with `tune:` have learned
///     features/<tower>/    what a frozen tower makes of pictures (`cache_features`), while the run is under way
///     summary.json         figures of each stage
///     report.html
///     final/               the model as a Hugging Face folder; it exists when the run is done
public struct RunFolder: Sendable {
    /// The folder.
    public let path: String

    /// A run folder at a path; nothing is made yet.
    public init(_ path: String) { self.path = path }

    /// The resolved recipe.
    public var recipe: String { Paths.join(path, "recipe.yaml") }
    /// Metrics of each step.
    public var metrics: String { Paths.join(path, "metrics.jsonl") }
    /// Records left out.
    public var rejections: String { Paths.join(path, "rejections.jsonl") }
    /// Evaluation results during training.
    public var evaluations: String { Paths.join(path, "evaluations.jsonl") }
    /// Figures of the run.
    public var summary: String { Paths.join(path, "summary.json") }
    /// The report.
    public var report: String { Paths.join(path, "report.html") }
    /// The finished model.
    public var final: String { Paths.join(path, "final") }
    /// Whether the run has finished.
    public var isFinished: Bool { Files.exists(Paths.join(final, "config.json")) }

    /// What frozen towers make of pictures, a folder a tower.
    public var features: String { Paths.join(path, "features") }

    /// The folder of a stage's checkpoints.
    public func checkpoints(of stage: String) -> String { Paths.join(path, "checkpoints", stage) }

    /// What a stage's methods have learned, as an adapter's folder.
    public func adapter(of stage: String) -> String { Paths.join(path, "adapters", stage) }

    /// One checkpoint's folder.
    public func checkpoint(of stage: String, step: Int) -> String {
        Paths.join(checkpoints(of: stage), "step-\(step)")
    }

    /// Whether anything is there.
    public var isEmpty: Bool {
        guard Files.isDirectory(path) else { return true }
        return ((try? Files.list(path)) ?? []).isEmpty
    }

    /// Removes the folder where no step was made in it.
    func removeUntrained() {
        let isTrained = Files.exists(Paths.join(path, "checkpoints")) || ((try? Files.size(metrics)) ?? 0) > 0
        // Another process may be at its first step there.
        let isHeld = Files.exists(metrics) && (try? AppendFile(metrics)) == nil
        if !isTrained, !isHeld, Files.isDirectory(path) { try? Files.remove(path) }
    }

    /// Complete checkpoints of a stage by step, oldest first. A checkpoint is complete when its `state.json`, written last, is there.
    public func completeCheckpoints(of stage: String) throws -> [Int] {
        let folder = checkpoints(of: stage)
        guard Files.isDirectory(folder) else { return [] }
        return try Files.list(folder).compactMap { name -> Int? in
            guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)),
                Files.exists(Paths.join(folder, name, "state.json"))
            else { return nil }
            return step
        }.sorted()
    }
}
