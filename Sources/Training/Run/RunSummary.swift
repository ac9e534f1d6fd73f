import Basics
import NeuralNetwork
import TensorCore
import VisionLanguage

/// `summary.json`: the figures of each finished stage, and what they were made with.
enum RunSummary {
    static func write(_ stages: [StageSummary], recipe: Recipe, bundle: ModelBundle, to folder: RunFolder) throws {
        let json: JSON = [
            "vitrail": .string(Version.current), "recipe": .string(recipe.source),
            "seed": .integer(Int64(bitPattern: recipe.seed)),
            "precision": .string(recipe.precision.rawValue), "threads": .int(bundle.model.backend.threads),
            "parameters": .int(bundle.model.parameters.count), "stages": .array(stages.map(\.json)),
        ]
        try Files.write(json.serialized(pretty: true) + "\n", to: folder.summary)
    }

    /// Stages whose figures an interrupted run has written already.
    static func finishedStages(in folder: RunFolder) throws -> [StageSummary] {
        guard Files.exists(folder.summary) else { return [] }
        return try (read(folder)["stages"]?.array ?? []).map { StageSummary(json: $0) }
    }

    /// The file's content.
    static func read(_ folder: RunFolder) throws -> JSON {
        do {
            return try JSON.read(folder.summary)
        } catch let error as JSONError {
            throw UserError(
                error.problem,
                fix:
                    "remove this file of the run, which goes on without it; figures of stages that are done are lost with it"
            )
        }
    }
}

extension StageSummary {
    init(json: JSON) {
        var totals = StageTotals(json: json)
        totals.seconds = json["wall_seconds"]?.double ?? 0
        totals.waitSeconds = totals.seconds * (json["data_wait_share"]?.double ?? 0)
        totals.lastLoss = json["final_loss"]?.double
        totals.counts.rejected = json["records_rejected"]?.int ?? 0
        totals.counts.replaced = json["records_replaced"]?.int ?? 0
        totals.counts.truncated = json["samples_truncated"]?.int ?? 0
        totals.counts.cutTokens = json["tokens_cut"]?.int ?? 0
        self.init(
            name: json["name"]?.string ?? "", objective: json["objective"]?.string ?? "",
            steps: json["steps"]?.int ?? 0, trainable: json["trainable_parameters"]?.int ?? 0,
            parameters: json["parameters"]?.int ?? 0, totals: totals,
            peakMemory: json["peak_memory_bytes"]?.int ?? 0, best: json["best_evaluation"]?.double,
            bestStep: json["best_step"]?.int,
            dataDigests: (json["data"]?.array ?? []).map { ($0["path"]?.string ?? "", $0["sha256"]?.string ?? "") })
    }
}

/// The version of this code.
public enum Version {
    /// Changes with each release; see CHANGELOG.md.
    public static let current = "0.1.0"
}
