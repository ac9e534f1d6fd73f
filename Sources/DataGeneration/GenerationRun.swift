import Basics
import InstructionData

/// A whole generation: asks through the journal, and writes its output complete or not at all.
public enum GenerationRun {
    /// Reads and checks all that a plan needs, so that nothing is made or asked when something is missing.
    /// - Throws: a `Problem`.
    public static func check(_ plan: GenerationPlan) throws { _ = try strategy(of: plan) }

    private static func strategy(of plan: GenerationPlan) throws -> any GenerationStrategy {
        let strategy = try GenerationStrategies.strategy(named: plan.strategy)
        try plan.checkChoices(strategy)
        try plan.checkShard(strategy)
        return try strategy.init(plan)
    }

    /// Runs a plan.
    ///
    /// When asking ends early by plan (a budget, Ctrl-C), what was made until then is written and the report says why; a
    /// second run with the same journal goes on from there and writes the whole.
    /// - Throws: a `Problem`; then no output was touched, and the journal holds every answer that came.
    public static func run(
        _ plan: GenerationPlan, client: CompletionClient, progress: @escaping (Int) -> Void = { _ in }
    ) throws -> GenerationReport {
        let strategy = try strategy(of: plan)
        let output = try RecordOutput(plan.output, folders: plan.data.map { [$0.imageFolder] } ?? [])
        let side = try LineFile(
            Paths.join(Paths.parent(plan.output), Paths.stem(plan.output) + ".rejected.jsonl"))
        let sink = GenerationSink(
            plan, model: client.model, write: { try output.append($0) },
            note: { try side.appendLine($0.serialized()) })
        var stopped: GenerationStopped?
        do { try strategy.run(client, into: sink, progress: progress) } catch let stop as GenerationStopped {
            guard stop.isOrderly else { throw stop }
            stopped = stop
        }
        var report = sink.report
        report.totals = client.totals
        report.stopped = stopped?.description
        // A part may be empty, so that the same call does for every part of a small whole.
        guard report.records > 0 || sink.isEmptyPart else {
            if let stopped {
                throw GenerationStopped(
                    problem: "no record was made: \(stopped.problem)", fix: stopped.fix, isOrderly: true)
            }
            let most = report.rejected.max { ($0.value, $1.key) < ($1.value, $0.key) }
            let example = most.flatMap { sink.examples[$0.key] }.map { ": " + $0 } ?? ""
            throw UserError(
                "no record was made" + (most.map { " (\($0.value) × \($0.key)\(example))" } ?? ""),
                fix: report.totals.answers + report.totals.replayed > 0
                    ? "look at \(client.journalPath) for what the model answered"
                    : "see to that, and run the same command again")
        }
        // Both get their names when the disk has room for both, so that none is there without the other.
        _ = try side.settle()
        try output.commit()
        try side.commit()
        return report
    }
}
