import ArgumentParser
import Basics
import Training

/// `vitrail report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Put runs beside each other: loss and evaluation curves on the same axes, and who got where first.",
        discussion: """
            A run's own report is its report.html; this one compares several, finished or still running.

            EXAMPLES
              vitrail report runs/with-align runs/without-align --output comparison.html
              vitrail report runs/* --json
            """)

    @Argument(help: "Run folders.", completion: .directory)
    var runs: [String]

    @Option(help: ArgumentHelp("The page to write.", valueName: "file"), completion: .file(extensions: ["html"]))
    var output = "comparison.html"

    @Flag(help: "Print the figures as JSON, one object a run and stage, and write no page.")
    var json = false

    func run() throws {
        let report = try ComparisonReport(runs.map { RunFolder($0) })
        if json {
            for row in report.figures { Console.out(row.serialized()) }
            return
        }
        let read = runs.map { RunFolder($0) }.flatMap { [$0.metrics, $0.evaluations, $0.recipe, $0.summary] }
        try Files.requireOther([output], than: read)
        try Files.write(report.html, to: output)
        Console.error("Report: \(output)")
    }
}
