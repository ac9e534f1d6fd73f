import Basics
import Testing

@Suite("Suggestions")
struct SuggestionTests {
    private let known = ["learning_rate", "batch_size", "epochs", "gradient_clip", "train", "data"]

    @Test(arguments: [
        ("learnin_rate", "learning_rate"), ("learning-rate", "learning_rate"), ("batchsize", "batch_size"),
        ("Epochs", "epochs"), ("epohcs", "epochs"), ("tarin", "train"), ("dat", "data"),
        ("gradientclip", "gradient_clip"),
    ])
    func slipsAreFound(word: String, meant: String) {
        #expect(Suggestion.nearest(to: word, among: known) == meant)
    }

    @Test(arguments: ["", "x", "optimizer", "weight_decay", "zzzzz"])
    func strangersAreNot(word: String) {
        #expect(Suggestion.nearest(to: word, among: known) == nil)
    }

    @Test func fixesNameTheNearestOrAll() {
        #expect(Suggestion.fix(for: "epoch", among: known) == "write \"epochs\"")
        #expect(Suggestion.fix(for: "unrelated", among: ["a", "b"]) == "one of a, b")
        #expect(Suggestion.fix(for: "unrelated", among: known, or: "give a name") == "give a name")
    }

    @Test func phrase() {
        #expect(Suggestion.phrase(for: "epoch", among: known) == " (did you mean \"epochs\"?)")
        #expect(Suggestion.phrase(for: "unrelated", among: known) == "")
    }
}
