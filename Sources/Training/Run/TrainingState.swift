import Basics

/// Everything besides weights and optimizer moments that the next step depends on, and what the report still needs of the past.
struct TrainingState: Equatable {
    /// Index of the stage in the recipe.
    var stage: Int
    /// The stage's name, to notice an edited recipe.
    var stageName: String
    /// Optimizer steps done in the stage.
    var step: Int
    /// Place in the data.
    var position: Int
    /// Updates that the optimizer has done.
    var optimizerSteps: Int
    /// Digest of the recipe, to notice an edited one.
    var recipeDigest: String
    /// Digest of the weights under the stage's adapters, before it began.
    var baseDigest: String?
    /// What the stage's data looked like; nil in checkpoints of before this was kept.
    var dataMark: String?
    /// Whether the stage has done all its steps: it stays done, whatever becomes of its data.
    var isComplete = false
    /// Threads that the steps so far were computed with; nil in checkpoints of before this was kept.
    var threads: Int?
    /// Bytes of `metrics.jsonl` that belong to finished steps.
    var metricsBytes: Int
    /// Bytes of `evaluations.jsonl` likewise.
    var evaluationBytes: Int
    /// Bytes of `rejections.jsonl` likewise; nil in checkpoints of before this was kept.
    var rejectionBytes: Int?
    /// Running figures of the stage.
    var totals: StageTotals
    /// Best evaluation of the stage so far and its step.
    var best: Double?
    var bestStep: Int?

    var json: JSON {
        var object: JSONObject = [
            "format": 1, "stage": .int(stage), "stage_name": .string(stageName), "step": .int(step),
            "position": .int(position), "optimizer_steps": .int(optimizerSteps), "recipe_digest": .string(recipeDigest),
            "metrics_bytes": .int(metricsBytes), "evaluation_bytes": .int(evaluationBytes), "totals": totals.json,
        ]
        if let baseDigest { object["base_sha256"] = .string(baseDigest) }
        if let dataMark { object["data_mark"] = .string(dataMark) }
        if let rejectionBytes { object["rejection_bytes"] = .int(rejectionBytes) }
        if isComplete { object["complete"] = true }
        if let threads { object["threads"] = .int(threads) }
        if let best { object["best"] = .number(best) }
        if let bestStep { object["best_step"] = .int(bestStep) }
        return .object(object)
    }

    init(
        stage: Int, stageName: String, step: Int = 0, position: Int = 0, recipeDigest: String, metricsBytes: Int = 0,
        evaluationBytes: Int = 0, rejectionBytes: Int? = nil
    ) {
        self.stage = stage
        self.stageName = stageName
        self.step = step
        self.position = position
        optimizerSteps = 0
        self.recipeDigest = recipeDigest
        self.metricsBytes = metricsBytes
        self.evaluationBytes = evaluationBytes
        self.rejectionBytes = rejectionBytes
        totals = StageTotals()
    }

    init(json: JSON, path: String) throws {
        func int(_ key: String) throws -> Int {
            guard let value = json[key]?.count else {
                throw UserError(
                    "\(path): \"\(key)\" is no count", fix: "remove this checkpoint and resume from an older one")
            }
            return value
        }
        stage = try int("stage")
        stageName = json["stage_name"]?.string ?? ""
        step = try int("step")
        position = try int("position")
        optimizerSteps = try int("optimizer_steps")
        recipeDigest = json["recipe_digest"]?.string ?? ""
        metricsBytes = try int("metrics_bytes")
        evaluationBytes = try int("evaluation_bytes")
        totals = StageTotals(json: json["totals"])
        rejectionBytes = json["rejection_bytes"]?.count
        best = json["best"]?.double
        baseDigest = json["base_sha256"]?.string
        dataMark = json["data_mark"]?.string
        isComplete = json["complete"]?.bool ?? false
        threads = json["threads"]?.int.flatMap { (1...1_024).contains($0) ? $0 : nil }
        bestStep = json["best_step"]?.count
    }
}

extension JSON {
    /// A whole number of things of which there can be so many; nil for anything else.
    fileprivate var count: Int? { int.flatMap { (0...1 << 48).contains($0) ? $0 : nil } }
}

/// Sums over a stage's steps, for its summary; they survive a resume.
public struct StageTotals: Sendable, Equatable {
    /// Tokens computed.
    public var tokens = 0
    /// Pictures seen.
    public var pictures = 0
    /// Seconds in steps, waiting for data included.
    public var seconds = 0.0
    /// Seconds of waiting for data.
    public var waitSeconds = 0.0
    /// Loss of the first step.
    public var firstLoss: Double?
    /// Loss of the last step.
    public var lastLoss: Double?
    /// What happened to records.
    public var counts = DataCounts()

    init() {}

    init(json: JSON?) {
        tokens = json?["tokens"]?.count ?? 0
        pictures = json?["pictures"]?.count ?? 0
        seconds = json?["seconds"]?.double.map { max(0, min($0, 1e12)) } ?? 0
        waitSeconds = json?["wait_seconds"]?.double.map { max(0, min($0, 1e12)) } ?? 0
        firstLoss = json?["first_loss"]?.double
        lastLoss = json?["last_loss"]?.double
        counts.samples = json?["samples"]?.count ?? 0
        counts.rejected = json?["rejected"]?.count ?? 0
        counts.replaced = json?["replaced"]?.count ?? 0
        counts.truncated = json?["truncated"]?.count ?? 0
        counts.cutTokens = json?["cut_tokens"]?.count ?? 0
    }

    var json: JSON {
        [
            "tokens": .int(tokens), "pictures": .int(pictures), "seconds": .number(seconds),
            "wait_seconds": .number(waitSeconds), "first_loss": firstLoss.map { .number($0) } ?? .null,
            "last_loss": lastLoss.map { .number($0) } ?? .null, "samples": .int(counts.samples),
            "rejected": .int(counts.rejected), "replaced": .int(counts.replaced), "truncated": .int(counts.truncated),
            "cut_tokens": .int(counts.cutTokens),
        ]
    }
}
