import Basics
import Testing
import Tokenization

/// Single stages against the `tokenizers` library.
@Suite struct StageTests {
    static let cases = (try? TestFiles.json(TestFiles.fixture("stages.json")).array) ?? []

    /// A tokenizer whose only stage of interest is the given one.
    static func tokenizer(_ kind: String, _ spec: JSON) throws -> Tokenizer {
        let model: JSON = ["type": "WordPiece", "vocab": ["a": 0], "unk_token": "a"]
        return try Tokenizer(json: JSON.object(JSONObject([("model", model), (kind, spec)])).serialized())
    }

    @Test func fixturesAreThere() { #expect(Self.cases.count > 35) }

    @Test(arguments: cases.indices)
    func agreesWithTheTokenizersLibrary(index: Int) throws {
        let entry = Self.cases[index]
        let kind = try #require(entry["kind"]?.string)
        let spec = try #require(entry["spec"])
        let tokenizer = try Self.tokenizer(kind, spec)
        for vector in entry["texts"]?.array ?? [] {
            let found: [String]
            if kind == "decoder" {
                found = [tokenizer.decode(tokens: (vector["tokens"]?.array ?? []).map(\.text))]
            } else {
                found = tokenizer.pieces(vector["text"]?.text ?? "")
            }
            let expected = (vector["out"]?.array ?? []).map(\.text)
            #expect(
                found.map { Array($0.utf8) } == expected.map { Array($0.utf8) },
                "\(spec.serialized()) \(vector.serialized())")
        }
    }
}
