import Basics
import Evaluation
import TestSupport
import Testing

@Suite("VQA accuracy")
struct VQAAccuracyTests {
    private func item(_ prediction: String, _ references: [String]) -> Prediction {
        Prediction(id: "1", prediction: prediction, references: references)
    }

    /// Ten answers: `count` times the text, the rest something else.
    private func answers(_ text: String, _ count: Int, others: String = "other") -> [String] {
        Array(repeating: text, count: count) + Array(repeating: others, count: 10 - count)
    }

    @Test(
        "a third of a point for each of up to three agreeing others", arguments: [(1, 0.3), (2, 0.6), (3, 0.9), (4, 1)])
    func agreement(people: Int, expected: Double) {
        #expect(abs(VQAAccuracy.accuracy(item("red", answers("red", people))) - expected) < 1e-12)
    }

    @Test(
        "normalised forms",
        arguments: [
            ("YES", "yes"), ("a bat", "bat"), ("on the bed", "on bed"), ("two dogs", "2 dogs"), ("none", "0"),
            ("eleven", "eleven"), ("stop.", "stop"), ("2.50", "2.50"), ("10:30 a.m.", "10:30 am"),
            ("1,000", "1000"), ("red,white", "red white"), ("red, white", "red white"), ("t-shirt", "t shirt"),
            ("red - sox", "red sox"), ("1,000 t-shirts", "1000 tshirts"), ("dont walk", "don't walk"),
            ("couldntve been", "couldntve been"), ("couldn'tve been", "couldn't've been"),
            ("yall'd've", "y'all'd've"), ("somebody'd", "somebodyd"), ("5 oclock", "5 o'clock"),
            ("fire\nhydrant", "fire hydrant"), ("\tfire   hydrant ", "fire hydrant"), ("Im here", "im here"),
            ("a", ""), ("café au lait", "café au lait"),
        ])
    func normalisation(text: String, expected: String) {
        #expect(VQAAccuracy.compared(item(text, ["one thing", "another thing"])).prediction == expected)
    }

    @Test("only the first 32 full stops go, as in the official script")
    func fullStops() {
        let text = String(repeating: "x.", count: 34)
        let expected = String(repeating: "x", count: 33) + ".x."
        #expect(VQAAccuracy.compared(item(text, ["one thing", "another thing"])).prediction == expected)
    }

    @Test("ten identical answers are compared without normalisation")
    func identicalAnswers() {
        #expect(VQAAccuracy.accuracy(item("Yes", answers("yes", 10))) == 0)
        #expect(VQAAccuracy.accuracy(item(" yes\n", answers("yes", 10))) == 1)
        #expect(VQAAccuracy.accuracy(item("Yes", answers("yes", 9))) == 1)
    }

    @Test("code points count: a decomposed accent is another answer")
    func codePoints() {
        #expect(VQAAccuracy.accuracy(item("cafe\u{301}", answers("caf\u{E9}", 9))) == 0)
    }

    @Test("an item with one answer is right or wrong")
    func oneReference() {
        #expect(VQAAccuracy.accuracy(item("red", ["red"])) == 1)
        #expect(VQAAccuracy.accuracy(item("blue", ["red"])) == 0)
    }

    @Test("every case scored by the official script", .enabled(if: Fixtures.data("vqa-accuracy.json") != nil))
    func officialCases() throws {
        let path = try #require(Fixtures.data("vqa-accuracy.json"))
        let file = try JSON.read(path)
        let cases = try #require(file["cases"]?.array)
        #expect(!cases.isEmpty)
        var predictions: [Prediction] = []
        for entry in cases {
            let answers = try texts(entry["answers"])
            let prediction = item(try #require(entry["prediction"]?.string), answers)
            let label = Comment(rawValue: entry["case"]?.string ?? "")
            let compared = VQAAccuracy.compared(prediction)
            #expect(compared.prediction == entry["prediction_normalized"]?.string, label)
            #expect(compared.references == (try texts(entry["answers_normalized"])), label)
            let expected = try #require(entry["accuracy"]?.double)
            #expect(abs(VQAAccuracy.accuracy(prediction) - expected) < 1e-12, label)
            predictions.append(prediction)
        }
        let overall = try MetricReport(VQAAccuracy(), predictions).score * 100
        #expect((overall * 100).rounded() / 100 == file["overall_percent"]?.double)
    }
}
