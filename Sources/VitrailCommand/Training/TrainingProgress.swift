import Basics
import Training

/// Shows a run: a bar on a terminal, plain lines otherwise, JSON on request.
final class TrainingProgress {
    private let recipe: Recipe
    private let json: Bool
    private var started = ContinuousClock.now
    private var firstStep = 0
    private var smoothed: Double?

    init(_ recipe: Recipe, json: Bool) {
        self.recipe = recipe
        self.json = json
    }

    func show(_ event: TrainingEvent) {
        if json {
            if let line = event.line { Console.out(line.serialized()) }
            return
        }
        switch event {
        case .stageStarted(let outline):
            started = .now
            firstStep = outline.doneSteps
            smoothed = nil
            show(outline)
        case .step(let report): show(report)
        case .evaluated(let report):
            let values =
                (report.loss.map { [("loss", $0)] } ?? []) + report.metrics.map { ($0.name, $0.value) }
            let text = values.map { "\($0.0) \(Formatting.decimal($0.1, 4))" }.joined(separator: ", ")
            Console.error(
                "  step \(report.step): evaluation \(text) (\(Formatting.duration(report.seconds)))"
                    + (report.isBest ? ", the best so far" : ""))
        case .checkpoint(let path):
            if Console.isTerminal { Console.error(Console.colored("  saved \(path)", .dim)) }
        case .stageFinished(let summary):
            let totals = summary.totals
            var text = "  \(summary.steps.counted("step")) in \(Formatting.duration(totals.seconds)), loss "
            text +=
                "\(Formatting.decimal(totals.firstLoss ?? .nan, 4)) → \(Formatting.decimal(totals.lastLoss ?? .nan, 4)), "
            text += "\(Formatting.count(Double(totals.tokens) / max(totals.seconds, 1e-9))) tokens/s, "
            text +=
                "waiting for data \(Formatting.decimal(100 * totals.waitSeconds / max(totals.seconds, 1e-9), 1)) %, "
            text += "peak memory \(Formatting.bytes(summary.peakMemory))"
            Console.error(text)
            let counts = totals.counts
            if counts.rejected > 0 {
                Console.error(
                    Console.colored(
                        "  broken records left out or replaced: \(counts.rejected); see rejections.jsonl", .yellow))
            }
            if counts.truncated > 0 {
                Console.error(
                    "  \(counts.truncated.counted("sample")) cut to max_tokens, \(counts.cutTokens.counted("token")) in all"
                )
            }
        case .note(let text): Console.error(text)
        }
    }

    private func show(_ outline: StageOutline) {
        Console.error(
            Console.colored("Stage \(outline.index + 1) of \(outline.stageCount): \(outline.name)", .bold)
                + ", \(outline.totalSteps.counted("step"))"
                + (outline.doneSteps > 0 ? ", \(Formatting.count(outline.doneSteps)) done" : ""))
        var rows = [["  part", "parameters", "trained", "frozen", "peak rate"]]
        for part in outline.parts {
            rows.append([
                "  " + part.name, Formatting.count(part.parameters), Formatting.count(part.trainable),
                Formatting.count(part.parameters - part.trainable), part.learningRate.map(Formatting.short) ?? "–",
            ])
        }
        Console.table(rows)
        if let line = Formatting.coded(outline.coded) { Console.error("  " + line) }
    }

    private func show(_ report: StepReport) {
        smoothed = smoothed.map { 0.9 * $0 + 0.1 * report.loss } ?? report.loss
        let elapsed = (ContinuousClock.now - started) / .seconds(1)
        let done = report.step - firstStep
        let left = elapsed / Double(max(done, 1)) * Double(report.totalSteps - report.step)
        let wait = 100 * report.waitSeconds / max(report.seconds, 1e-9)
        var text =
            "loss \(Formatting.decimal(smoothed!, 4))  \(Formatting.count(report.tokensPerSecond)) tokens/s  "
        text += "wait \(Formatting.decimal(wait, 0)) %  left \(Formatting.duration(left))"
        if Console.isTerminal {
            let bar = ProgressLine.bar(report.step, report.totalSteps)
            Console.status("  \(bar) \(report.step)/\(report.totalSteps)  \(text)")
        } else if report.step % logEvery(report.stage) == 0 || report.step == report.totalSteps || done == 1 {
            Console.error(
                "  step \(report.step)/\(report.totalSteps)  \(text)  rate \(Formatting.short(report.learningRate))")
        }
    }

    private func logEvery(_ stage: String) -> Int { recipe.stages.first { $0.name == stage }?.logEvery ?? 10 }
}
