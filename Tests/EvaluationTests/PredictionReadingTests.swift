import Basics
import Evaluation
import Testing

@Suite("reading predictions")
struct PredictionReadingTests {
    private func parse(_ text: String) throws -> [Prediction] {
        try Array(text.utf8).withUnsafeBytes { try Prediction.parse($0, source: "P.jsonl") }
    }

    @Test("all fields, other fields left alone, blank lines skipped")
    func fields() throws {
        let found = try parse(
            """
            {"id": 12, "prediction": "red", "references": ["red", "dark red"], "kind": "color", "score": 3}

            {"prediction": "a dog", "references": "a cat", "question": "what?", "image": "a.png", "id": null}
            {"prediction": "", "reference": "one", "id": "x"}
            """)
        #expect(
            found == [
                Prediction(id: "12", prediction: "red", references: ["red", "dark red"], kind: "color"),
                Prediction(id: "3", prediction: "a dog", references: ["a cat"], question: "what?", image: "a.png"),
                Prediction(id: "x", prediction: "", references: ["one"]),
            ])
    }

    @Test("what is written reads back")
    func roundTrip() throws {
        let items = [
            Prediction(
                id: "1", prediction: "line\nbreak \"x\"", references: ["é"], question: "q", kind: "k", image: "i"),
            Prediction(id: "2", prediction: "", references: ["a", "b"]),
        ]
        #expect(try parse(items.map { $0.json.serialized() }.joined(separator: "\n")) == items)
    }

    @Test(
        "faults name the line",
        arguments: [
            (
                "{\"prediction\": \"a\", \"references\": [\"a\"]}\n{\"predictoin\": \"a\", \"references\": [\"a\"]}",
                "P.jsonl:2: no prediction (did you mean \"predictoin\"?)"
            ),
            ("{\"prediction\": \"a\"}", "P.jsonl:1: no references"),
            ("{\"prediction\": \"a\", \"references\": []}", "P.jsonl:1: references is empty"),
            ("{\"prediction\": 2, \"references\": [\"a\"]}", "P.jsonl:1: prediction is an integer, not text"),
            ("{\"prediction\": \"a\", \"references\": [\"a\", 2]}", "P.jsonl:1: references[1] is an integer, not text"),
            ("\n[1]", "P.jsonl:2: expected an object, found an array"),
            ("\n \n", "P.jsonl holds no predictions"),
        ])
    func faults(text: String, expected: String) {
        let error = #expect(throws: UserError.self) { try parse(text) }
        #expect(error?.problem == expected)
    }

    @Test("broken JSON names line and column")
    func brokenJSON() {
        let error = #expect(throws: UserError.self) {
            try parse("{\"prediction\": \"a\", \"references\": [\"a\"]}\n{\"a\" 1}")
        }
        #expect(error?.problem.hasPrefix("P.jsonl:2:6: ") == true, "\(error?.problem ?? "")")
    }

    @Test("a missing file is named")
    func missingFile() {
        #expect(throws: FileError.self) { try Prediction.read("/nonexistent/P.jsonl") }
    }
}
