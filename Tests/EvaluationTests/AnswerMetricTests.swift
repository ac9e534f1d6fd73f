import Basics
import Evaluation
import Testing

@Suite("answer metrics")
struct AnswerMetricTests {
    private func item(_ prediction: String, _ references: String..., kind: String? = nil) -> Prediction {
        Prediction(id: "7", prediction: prediction, references: references, kind: kind)
    }

    @Test("exact match is strict unless folding is asked for")
    func exact() {
        let items = [
            item("blue", "red", "blue"), item("Blue", "blue"), item("a  blue one. ", "A blue one"), item("x", "y"),
        ]
        #expect(ExactMatch().measure(items).itemScores == [1, 0, 0, 0])
        #expect(ExactMatch(folding: true).measure(items).itemScores == [1, 1, 1, 0])
    }

    @Test("ANLS counts near misses and drops what is half wrong")
    func anls() {
        let items = [item("Coca Cola ", "coca cola"), item("colo", "cola"), item("abcd", "abxy"), item("", "")]
        #expect(ANLS().measure(items).itemScores == [1, 0.75, 0, 1])
    }

    @Test("yes/no figures by hand")
    func yesNo() throws {
        let items = [
            item("Yes, there is.", "yes"), item("No, there is not.", "yes"), item("yes", "no"), item("no", "No."),
            item("a dog", "yes"),
        ]
        let scores = try YesNo().measure(items).scores()
        let expected = [
            NamedScore("accuracy", 3.0 / 5), NamedScore("precision", 2.0 / 3), NamedScore("recall", 2.0 / 3),
            NamedScore("f1", 2.0 / 3), NamedScore("yes_share", 3.0 / 5), NamedScore("unclear", 1.0 / 5),
        ]
        #expect(scores.map(\.name) == expected.map(\.name))
        for (score, wanted) in zip(scores, expected) { #expect(abs(score.value - wanted.value) < 1e-12) }
    }

    @Test("yes/no refuses an item of another kind by name")
    func yesNoRefuses() {
        #expect {
            try YesNo().measure([item("blue", "blue")])
        } throws: { error in
            (error as? UserError)?.problem == "item 7: reference \"blue\" is neither yes nor no"
        }
    }

    @Test("metrics by name, with the nearest name for a slip")
    func registry() throws {
        #expect(try MetricRegistry.metrics(named: "exact, vqa,exact").map(\.name) == ["exact", "vqa"])
        #expect(Set(MetricRegistry.all.map(\.name)).count == MetricRegistry.all.count)
        let slip = #expect(throws: UserError.self) { try MetricRegistry.metrics(named: "exat") }
        #expect(slip?.problem == "unknown metric \"exat\" (did you mean \"exact\"?)")
        #expect(throws: UserError.self) { try MetricRegistry.metrics(named: " ,") }
    }
}
