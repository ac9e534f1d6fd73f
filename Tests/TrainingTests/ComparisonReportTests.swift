import Basics
import TestSupport
import Testing
import Training

@Suite("Comparison of runs")
struct ComparisonReportTests {
    private func write(_ folder: String, losses: [Double], exact: [Double]) throws -> RunFolder {
        let run = RunFolder(folder)
        try Files.createDirectory(folder)
        let steps = losses.enumerated().map { #"{"stage":"instruct","step":\#($0.offset + 1),"loss":\#($0.element)}"# }
        try Files.write(steps.joined(separator: "\n") + "\n", to: run.metrics)
        let results = exact.enumerated().map {
            #"{"stage":"instruct","step":\#(10 * ($0.offset + 1)),"exact":\#($0.element),"best":true}"#
        }
        try Files.write(results.joined(separator: "\n") + "\n", to: run.evaluations)
        return run
    }

    @Test func figuresSayWhoGotThereFirst() throws {
        try withTemporaryFolder { folder in
            let fast = try write(
                Paths.join(folder, "fast"), losses: (1...20).map { 2 / Double($0) }, exact: [0.7, 0.96])
            let slow = try write(
                Paths.join(folder, "slow <1>"), losses: (1...20).map { 4 / Double($0) }, exact: [0.4, 0.6, 0.97])
            let report = try ComparisonReport([fast, slow])
            let rows = report.figures
            #expect(rows.map { $0["run"]?.string } == ["fast", "slow <1>"])
            #expect(rows.map { $0["exact_95_at"]?.int } == [20, 30])
            #expect(rows.map { $0["exact_99_at"] } == [.null, .null])
            let mean = (1...10).reduce(0) { $0 + 2 / Double($1) } / 10
            #expect(abs((rows[0]["first_loss"]?.double ?? 0) - mean) < 1e-12)
            let page = report.html
            #expect(page.contains("slow &lt;1&gt;") && !page.contains("slow <1>"))
            #expect(page.components(of: "<polyline") == 4)
        }
    }

    /// Of losses less is better, and no share of one is a mark.
    @Test func theLeastLossIsTheBest() throws {
        try withTemporaryFolder { folder in
            let run = try write(Paths.join(folder, "run"), losses: [1, 2], exact: [])
            let losses = [7.0, 6.25, 6.5].enumerated().map {
                #"{"stage":"instruct","step":\#($0.offset + 1),"loss":\#($0.element),"best":true}"# + "\n"
            }
            try Files.write(losses.joined(), to: run.evaluations)
            let row = try #require(try ComparisonReport([run]).figures.first?.object)
            #expect(row["best_evaluation_loss"]?.double == 6.25)
            #expect(row.keys.allSatisfy { !$0.hasPrefix("loss") }, "\(row.keys)")
        }
    }

    @Test func aRunThatDivergedIsDrawnToo() throws {
        try withTemporaryFolder { folder in
            let run = try write(Paths.join(folder, "run"), losses: [1, 1e30, 1e30], exact: [0])
            #expect(try ComparisonReport([run]).html.contains("1.0e30"))
        }
    }

    /// Files of a run may be damaged: figures that no axis can hold are left out of the drawing, and told as they are.
    @Test func figuresBeyondAllAxesAreLeftOut() throws {
        try withTemporaryFolder { folder in
            let run = try write(Paths.join(folder, "run"), losses: [1, 2], exact: [0.5, -1.7e308, 1.7e308])
            let line = #"{"stage":"instruct","step":1e300,"loss":1.5,"exact":1}"# + "\n"
            for path in [run.metrics, run.evaluations] { try Files.write(Files.readText(path) + line, to: path) }
            let report = try ComparisonReport([run])
            #expect(report.figures[0]["exact_95_at"]?.int == 30)
            // The losses of steps 1 and 2; of the evaluations a single point is left, which is no curve.
            #expect(report.html.components(of: "<polyline") == 1)
        }
    }

    @Test func aFolderWithoutARunIsNamed() throws {
        try withTemporaryFolder { folder in
            #expect { try ComparisonReport([RunFolder(folder)]) } throws: {
                ($0 as? any Problem)?.problem.contains(folder) == true
            }
        }
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
