import Basics
import NeuralNetwork
public import VisionLanguage

/// `report.html`: curves, figures, pictures with answers, and left-out records, in one file that opens without a network.
public enum TrainingReport {
    /// Writes the report of a finished run.
    public static func write(
        folder: RunFolder, bundle: ModelBundle, recipe: Recipe, samples: [ReportSample]
    ) throws {
        let steps = try ReportPage.lines(folder.metrics)
        let evaluations = try ReportPage.lines(folder.evaluations)
        let summary = try RunSummary.read(folder)
        let body = [
            "<h1>\(HTML.escaped(Paths.name(folder.path)))</h1>",
            "<p>\(bundle.model.parameters.count.counted("parameter")), seed \(recipe.seed), \(recipe.precision.rawValue), vitrail \(Version.current)</p>",
            stageTable(summary["stages"]?.array ?? []), curves(steps, evaluations, recipe), gallery(samples),
            rejections(try ReportPage.lines(folder.rejections)),
            "<h2>Recipe</h2><pre>\(HTML.escaped(recipe.complete))</pre>",
        ].joined(separator: "\n")
        try Files.write(ReportPage.html(title: Paths.name(folder.path), body: body), to: folder.report)
    }

    private static func stageTable(_ stages: [JSON]) -> String {
        let columns: [(String, (JSON) -> String)] = [
            ("stage", { HTML.escaped($0["name"]?.string ?? "") }),
            ("steps", { ($0["steps"]?.int ?? 0).grouped }),
            ("trained", { ($0["trainable_parameters"]?.int ?? 0).grouped }),
            ("first loss", { ReportPage.number($0["first_loss"], 4) }),
            ("last loss", { ReportPage.number($0["final_loss"], 4) }),
            ("best evaluation", { ReportPage.number($0["best_evaluation"], 4) }),
            ("tokens/s", { ReportPage.number($0["tokens_per_second"], 0) }),
            (
                "data wait",
                { ReportPage.number($0["data_wait_share"].map { .number(100 * ($0.double ?? 0)) }, 1) + " %" }
            ),
            ("time", { ReportPage.number($0["wall_seconds"], 1) + " s" }),
            (
                "peak memory",
                { ReportPage.number($0["peak_memory_bytes"].map { .number(($0.double ?? 0) / 1_048_576) }, 0) + " MiB" }
            ),
            ("left out", { "\($0["records_rejected"]?.int ?? 0)" }),
            ("cut", { "\($0["samples_truncated"]?.int ?? 0)" }),
        ]
        let head = columns.map { "<th>\($0.0)</th>" }.joined()
        let rows = stages.map { stage in "<tr>" + columns.map { "<td>\($0.1(stage))</td>" }.joined() + "</tr>" }
        return "<h2>Stages</h2><div class=\"wide\"><table><tr>\(head)</tr>\(rows.joined())</table></div>"
    }

    private static func curves(_ steps: [JSON], _ evaluations: [JSON], _ recipe: Recipe) -> String {
        // Stages follow each other on one axis.
        var offset = 0.0
        var starts: [String: Double] = [:]
        for stage in recipe.stages {
            starts[stage.name] = offset
            offset += steps.last { $0["stage"]?.string == stage.name }?["step"]?.double ?? 0
        }
        func series(_ rows: [JSON], _ key: String) -> [LineChart.Series] {
            recipe.stages.enumerated().compactMap { index, stage in
                let points = rows.filter { $0["stage"]?.string == stage.name }.compactMap {
                    row -> (x: Double, y: Double)? in
                    guard let step = row["step"]?.double, let value = row[key]?.double else { return nil }
                    return (starts[stage.name]! + step, value)
                }
                guard !points.isEmpty else { return nil }
                return .init(name: stage.name, points: points, color: LineChart.colors[index % LineChart.colors.count])
            }
        }
        var charts = [
            LineChart(title: "Loss by step", series: series(steps, "loss"), isLogarithmic: true),
            LineChart(title: "Learning rate", series: series(steps, "learning_rate")),
            LineChart(
                title: "Gradient norm before clipping", series: series(steps, "gradient_norm"), isLogarithmic: true),
            LineChart(title: "Tokens a second", series: series(steps, "tokens_per_second")),
        ]
        let known: Set<String> = ["stage", "step", "seconds", "best"]
        var names: [String] = []
        for row in evaluations {
            for key in row.object?.keys ?? [] where !known.contains(key) && !names.contains(key) { names.append(key) }
        }
        charts += names.map { LineChart(title: "Evaluation: \($0)", series: series(evaluations, $0)) }
        return "<h2>Curves</h2><div class=\"charts\">" + charts.map { "<figure>\($0.svg)</figure>" }.joined() + "</div>"
    }

    private static func gallery(_ samples: [ReportSample]) -> String {
        guard !samples.isEmpty else { return "" }
        let cards = samples.map { sample in
            let kind = sample.isPNG ? "png" : "jpeg"
            let mark = sample.isRight.map { $0 ? "right" : "wrong" } ?? ""
            let references =
                sample.references.isEmpty
                ? "" : "<p class=\"reference\">\(HTML.escaped(sample.references.joined(separator: " / ")))</p>"
            return
                "<div class=\"card \(mark)\"><img alt=\"\" src=\"data:image/\(kind);base64,\(HTML.base64(sample.picture))\">"
                + "<p class=\"question\">\(HTML.escaped(sample.question))</p><p class=\"answer\">\(HTML.escaped(sample.answer))</p>\(references)</div>"
        }
        return
            "<h2>Held-out pictures</h2><p>Question, the model's answer, the reference.</p><div class=\"gallery\">\(cards.joined())</div>"
    }

    private static func rejections(_ rows: [JSON]) -> String {
        guard !rows.isEmpty else { return "<h2>Records left out</h2><p>None.</p>" }
        let items = rows.prefix(200).map { row in
            let whose = row["evaluation"]?.bool == true ? "of the evaluation: " : ""
            return "<li>\(whose)\(HTML.escaped(row["reason"]?.string ?? row.serialized()))</li>"
        }
        return
            "<h2>Records left out</h2><p>\(rows.count) in all\(rows.count > 200 ? ", the first 200 here" : "").</p><ul>\(items.joined())</ul>"
    }
}
