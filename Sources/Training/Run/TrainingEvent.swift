import Basics

/// What a run tells the outside while it goes on. The command line draws a progress bar from it, tests look at it.
public enum TrainingEvent: Sendable {
    /// A stage begins: which parameters it trains.
    case stageStarted(StageOutline)
    /// A step is done.
    case step(StepReport)
    /// An evaluation is done.
    case evaluated(EvaluationReport)
    /// A checkpoint is on disk.
    case checkpoint(path: String)
    /// A stage is done.
    case stageFinished(StageSummary)
    /// Something worth a line.
    case note(String)
}

/// What the run does next.
public enum TrainingControl: Sendable {
    case proceed
    /// Save and stop: Ctrl-C.
    case stop
}

/// Which parameters a stage trains.
public struct StageOutline: Sendable {
    /// The stage's name.
    public var name: String
    /// Its index, and how many there are.
    public var index: Int
    /// Stages of the recipe.
    public var stageCount: Int
    /// Optimizer steps, and those done before a resume.
    public var totalSteps: Int
    /// Steps done before a resume.
    public var doneSteps: Int
    /// A row a part.
    public var parts: [Part]
    /// Weights of a frozen base that are kept as codes, and the bytes that those take; 0 without.
    public var coded: (weights: Int, bytes: Int)

    /// One part of the model.
    public struct Part: Sendable {
        /// Its name.
        public var name: String
        /// Parameters by path.
        public var parameters: Int
        /// Weights that are trained.
        public var trainable: Int
        /// Peak learning rate; nil when frozen.
        public var learningRate: Double?
    }
}

/// Figures of one optimizer step.
public struct StepReport: Sendable {
    /// The stage's name.
    public var stage: String
    /// Counted from 1.
    public var step: Int
    /// Optimizer steps in all.
    public var totalSteps: Int
    /// Passes over the data so far.
    public var epoch: Double
    /// Mean loss over supervised tokens.
    public var loss: Double
    /// Peak of the learning rate at this step.
    public var learningRate: Double
    /// Before clipping.
    public var gradientNorm: Double
    /// Tokens computed, visual ones included.
    public var tokens: Int
    /// What the loss is averaged over: supervised tokens.
    public var supervised: Int
    /// Pictures seen.
    public var pictures: Int
    /// Seconds it took.
    public var seconds: Double
    /// Seconds of these spent waiting for data.
    public var waitSeconds: Double

    /// Tokens a second of this step.
    public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }

    var json: JSON {
        [
            "stage": .string(stage), "step": .int(step), "epoch": .number(epoch), "loss": .number(loss),
            "learning_rate": .number(learningRate), "gradient_norm": .number(gradientNorm), "tokens": .int(tokens),
            "supervised_tokens": .int(supervised), "pictures": .int(pictures),
            "tokens_per_second": .number(tokensPerSecond), "step_ms": .number(seconds * 1e3),
            "data_wait_ms": .number(waitSeconds * 1e3),
        ]
    }
}

/// Results of an evaluation during training.
public struct EvaluationReport: Sendable {
    /// The stage's name.
    public var stage: String
    /// The step, counted from 1.
    public var step: Int
    /// Mean loss over supervised tokens.
    public var loss: Double?
    /// Metrics by name.
    public var metrics: [(name: String, value: Double)]
    /// Seconds it took.
    public var seconds: Double
    /// Whether it is the best so far.
    public var isBest: Bool

    var json: JSON {
        var object: JSONObject = [
            "stage": .string(stage), "step": .int(step), "seconds": .number(seconds), "best": .bool(isBest),
        ]
        if let loss { object["loss"] = .number(loss) }
        for metric in metrics { object[metric.name] = .number(metric.value) }
        return .object(object)
    }
}

/// Figures of a finished stage.
public struct StageSummary: Sendable {
    /// Its name.
    public var name: String
    /// What it learned from.
    public var objective: String
    /// Optimizer steps done.
    public var steps: Int
    /// Weights that are trained.
    public var trainable: Int
    /// Parameters by path.
    public var parameters: Int
    /// Sums over the steps.
    public var totals: StageTotals
    /// Largest resident size of the process so far, in bytes.
    public var peakMemory: Int
    /// The best value of the first metric, or the least loss where only that is measured.
    public var best: Double?
    /// Step of the best evaluation.
    public var bestStep: Int?
    /// Data files and their SHA-256.
    public var dataDigests: [(path: String, digest: String)]

    var json: JSON {
        let seconds = totals.seconds
        var object: JSONObject = [
            "name": .string(name), "objective": .string(objective), "steps": .int(steps),
            "parameters": .int(parameters), "trainable_parameters": .int(trainable), "tokens": .int(totals.tokens),
            "pictures": .int(totals.pictures), "samples": .int(totals.counts.samples),
            "first_loss": totals.firstLoss.map { .number($0) } ?? .null,
            "final_loss": totals.lastLoss.map { .number($0) } ?? .null,
            "tokens_per_second": .number(seconds > 0 ? Double(totals.tokens) / seconds : 0),
            "data_wait_share": .number(seconds > 0 ? totals.waitSeconds / seconds : 0),
            "wall_seconds": .number(seconds),
            "peak_memory_bytes": .int(peakMemory), "records_rejected": .int(totals.counts.rejected),
            "records_replaced": .int(totals.counts.replaced), "samples_truncated": .int(totals.counts.truncated),
            "tokens_cut": .int(totals.counts.cutTokens),
        ]
        if let best { object["best_evaluation"] = .number(best) }
        if let bestStep { object["best_step"] = .int(bestStep) }
        object["data"] = .array(dataDigests.map { ["path": .string($0.path), "sha256": .string($0.digest)] })
        return .object(object)
    }
}
