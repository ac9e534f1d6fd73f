import Basics
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tokenization
import VisionLanguage

private let folder = Paths.join(Paths.parent(#filePath), "Fixtures/families/idefics3")

/// Tokens added to a model, and the rows that they get.
@Suite("Growing vocabularies")
struct VocabularyTests {
    private let backend = TestBackend.cpu.make()

    @Test func newRowsAreTheMeanOfTheOld() throws {
        let plain = try ModelBundle.open(folder, on: backend)
        let grown = try ModelBundle.open(
            folder, vocabulary: VocabularyGrowth(tokens: ["<box>", "<end>"], multiple: 64), on: backend)
        #expect(grown.tokenizer.id("<box>") == Int32(plain.tokenizer.vocabularySize))
        #expect(grown.tokenizer.id("<end>") == plain.tokenizer.id("<end>"))
        #expect(plain.model.configuration.language.vocabularySize == 288)
        #expect(grown.model.configuration.language.vocabularySize == 320)
        for path in ["language.embedding", "language.head.weight"] {
            let old = try #require(plain.model.parameters[path]).value.floats
            let new = try #require(grown.model.parameters[path]).value.floats
            #expect(Array(new.prefix(old.count)) == old)
            let mean = (0..<16).map { column in
                Float((0..<288).reduce(0.0) { $0 + Double(old[$1 * 16 + column]) } / 288)
            }
            for row in 288..<320 {
                expectClose(Array(new[row * 16..<row * 16 + 16]), mean, .absolute(1e-6), "\(path) row \(row)")
            }
        }
    }

    /// The written folder holds the token and the rows, and opens as any other.
    @Test func grownModelsAreWritten() throws {
        let grown = try ModelBundle.open(folder, vocabulary: VocabularyGrowth(tokens: ["<box>"]), on: backend)
        try withTemporaryFolder { copy in
            try grown.write(to: copy)
            let again = try ModelBundle.open(copy, on: backend)
            #expect(again.tokenizer.id("<box>") == grown.tokenizer.id("<box>"))
            #expect(again.tokenizer.encode("<box>", allowSpecial: true).count == 1)
            #expect(again.tokenizer.encode("<box>").count == 5)
            #expect(again.model.configuration.language.vocabularySize == 288)
            let entries = try JSON.read(Paths.join(copy, "tokenizer_config.json"))["added_tokens_decoder"]
            let id = try #require(grown.tokenizer.id("<box>"))
            #expect(entries?[String(id)]?["content"]?.string == "<box>")
        }
    }
}
