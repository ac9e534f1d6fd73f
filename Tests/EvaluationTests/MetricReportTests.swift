import Basics
import Evaluation
import Testing

@Suite("metric reports")
struct MetricReportTests {
    private let items = (0..<100).map { index in
        Prediction(
            id: String(index), prediction: index < 90 ? "yes" : "no", references: ["yes"],
            kind: index % 2 == 0 ? "even" : "odd")
    }

    @Test("score, Wilson interval and kinds of a known set")
    func report() throws {
        let report = try MetricReport(ExactMatch(), items)
        #expect(report.score == 0.9)
        #expect(report.count == 100)
        #expect(report.kinds.map(\.name) == ["even", "odd"])
        #expect(report.kinds.map(\.score) == [0.9, 0.9])
        #expect(report.kinds.map(\.count) == [50, 50])
        // Wilson's interval for 90 of 100, from the closed formula in exact arithmetic.
        let interval = try #require(report.interval)
        #expect(interval.method == .wilson)
        #expect(abs(interval.low - 0.8256343384950865) < 1e-12)
        #expect(abs(interval.high - 0.9447708629393249) < 1e-12)
    }

    @Test("the bootstrap repeats itself and holds the score")
    func bootstrap() throws {
        let report = try MetricReport(VQAAccuracy(), items)
        let interval = try #require(report.interval)
        #expect(interval.method == .bootstrap)
        #expect(try MetricReport(VQAAccuracy(), items) == report)
        // The standard error is 0.03: the percentiles lie near 0.9 plus and minus 0.059.
        #expect(abs(interval.low - 0.841) < 0.015)
        #expect(abs(interval.high - 0.959) < 0.015)
        #expect(try MetricReport(VQAAccuracy(), Array(items.prefix(1))).interval == nil)
    }

    @Test("JSON form")
    func json() throws {
        let json = try MetricReport(ExactMatch(), items).json
        #expect(json["metric"] == "exact")
        #expect(json["interval"]?["level"] == 0.95)
        #expect(json["kinds"]?["odd"]?["count"] == 50)
        #expect(json["components"] == nil)
        #expect(
            try MetricReport(BLEU(), items).json["components"]?.object?.keys == [
                "bleu_4", "bleu_1", "bleu_2", "bleu_3",
            ])
    }
}
