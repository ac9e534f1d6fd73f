public import Basics

/// Several runs beside each other: their curves on the same axes, and how soon each reached what.
public struct ComparisonReport {
    private struct Run {
        let name: String
        let steps: [JSON]
        let evaluations: [JSON]
        let color: String

        func values(_ rows: [JSON], stage: String, key: String) -> [(x: Double, y: Double)] {
            rows.filter { $0["stage"]?.string == stage }.compactMap { row in
                guard let step = row["step"]?.double, let value = row[key]?.double else { return nil }
                return (step, value)
            }
        }

        var stages: [String] { Self.distinct(steps.compactMap { $0["stage"]?.string }) }

        func metrics(of stage: String) -> [String] {
            let known: Set<String> = ["stage", "step", "seconds", "best"]
            let keys = evaluations.filter { $0["stage"]?.string == stage }.flatMap { Array($0.object?.keys ?? []) }
            return Self.distinct(keys.filter { !known.contains($0) })
        }

        static func distinct(_ names: [String]) -> [String] {
            var seen: Set<String> = []
            return names.filter { seen.insert($0).inserted }
        }
    }

    private let runs: [Run]
    /// Values of a metric whose first step is told for each run.
    private static let marks = [0.5, 0.8, 0.9, 0.95, 0.99]

    /// Reads the runs' metrics.
    /// - Parameter folders: run folders, finished or not.
    /// - Throws: a `Problem` that names the folder without metrics.
    public init(_ folders: [RunFolder]) throws {
        runs = try folders.enumerated().map { index, folder in
            let steps = try ReportPage.lines(folder.metrics)
            guard !steps.isEmpty else {
                throw UserError(
                    "\(folder.path): no metrics.jsonl with steps in it", fix: "name folders that vitrail train wrote")
            }
            return Run(
                name: Paths.name(folder.path), steps: steps, evaluations: try ReportPage.lines(folder.evaluations),
                color: LineChart.colors[index % LineChart.colors.count])
        }
    }

    /// Figures of each run and stage: mean loss of the first and last ten steps, the least loss of the evaluations or the best value of each
    /// metric, and the step at which it first reached each mark.
    public var figures: [JSON] {
        runs.flatMap { run in
            run.stages.map { stage in
                let losses = run.values(run.steps, stage: stage, key: "loss").map(\.y)
                var row: JSONObject = [
                    "run": .string(run.name), "stage": .string(stage), "steps": .int(losses.count),
                    "first_loss": .number(Self.mean(losses.prefix(10))),
                    "last_loss": .number(Self.mean(losses.suffix(10))),
                ]
                for metric in run.metrics(of: stage) {
                    let points = run.values(run.evaluations, stage: stage, key: metric)
                    guard metric != "loss" else {
                        row["best_evaluation_loss"] = .number(points.map(\.y).min() ?? 0)
                        continue
                    }
                    row[metric] = .number(points.map(\.y).max() ?? 0)
                    for mark in Self.marks {
                        let first = points.first { $0.y >= mark }
                        row["\(metric)_\(Self.percent(mark))_at"] = first.map { .whole($0.x) } ?? .null
                    }
                }
                return .object(row)
            }
        }
    }

    /// The page: figures, then for each stage the curves of all runs that have it.
    public var html: String {
        let names = runs.map { HTML.escaped($0.name) }.joined(separator: " · ")
        let charts = Run.distinct(runs.flatMap(\.stages)).map { stage in
            let metrics = Run.distinct(runs.flatMap { $0.metrics(of: stage) })
            let figures =
                [chart("Loss by step", stage, "loss", \.steps, isLogarithmic: true)]
                + metrics.map { chart("Evaluation: \($0)", stage, $0, \.evaluations) }
            return "<h2>Stage \(HTML.escaped(stage))</h2><div class=\"charts\">"
                + figures.map { "<figure>\($0.svg)</figure>" }.joined() + "</div>"
        }
        return ReportPage.html(title: "Runs beside each other", body: "<h1>\(names)</h1>" + table + charts.joined())
    }

    private func chart(
        _ title: String, _ stage: String, _ key: String, _ rows: (Run) -> [JSON], isLogarithmic: Bool = false
    ) -> LineChart {
        let series = runs.compactMap { run -> LineChart.Series? in
            let points = run.values(rows(run), stage: stage, key: key)
            return points.isEmpty ? nil : .init(name: run.name, points: points, color: run.color)
        }
        return LineChart(title: title, series: series, isLogarithmic: isLogarithmic)
    }

    private var table: String {
        let rows = figures
        let keys = Run.distinct(rows.flatMap { Array($0.object?.keys ?? []) })
        let head = keys.map { "<th>\(HTML.escaped($0.replacing("_", with: " ")))</th>" }.joined()
        let body = rows.map { row in
            let cells = keys.map { key -> String in
                if let text = row[key]?.string { return HTML.escaped(text) }
                if let count = row[key]?.int { return "\(count)" }
                return ReportPage.number(row[key], 4)
            }
            return "<tr>" + cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
        }
        return "<div class=\"wide\"><table><tr>\(head)</tr>\(body.joined())</table></div>"
    }

    private static func mean(_ values: ArraySlice<Double>) -> Double {
        values.reduce(0, +) / Double(max(1, values.count))
    }

    private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))" }
}
