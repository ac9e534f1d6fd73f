import Basics
import Testing
import Tokenization

/// Split patterns against the `tokenizers` library's Oniguruma.
@Suite struct SplitTests {
    static let cases: [(name: String, entry: JSON)] = {
        guard let object = try? TestFiles.json(TestFiles.fixture("splits.json")).object else { return [] }
        return object.map { ($0.key, $0.value) }
    }()

    /// A tokenizer whose only stage of interest is one split.
    static func tokenizer(pattern: JSON, behavior: String) throws -> Tokenizer {
        let json: JSON = [
            "model": ["type": "BPE", "vocab": ["a": 0], "merges": []],
            "pre_tokenizer": [
                "type": "Split", "pattern": ["Regex": pattern], "behavior": .string(behavior), "invert": false,
            ],
        ]
        return try Tokenizer(json: json.serialized())
    }

    @Test func fixturesAreThere() { #expect(Self.cases.count > 10) }

    @Test(arguments: cases.map(\.name))
    func piecesAreOnigurumas(name: String) throws {
        let entry = try #require(Self.cases.first { $0.name == name }?.entry)
        let tokenizer = try Self.tokenizer(pattern: entry["pattern"] ?? .null, behavior: entry["behavior"]?.text ?? "")
        for vector in entry["texts"]?.array ?? [] {
            let pieces = tokenizer.pieces(vector["text"]?.text ?? "")
            #expect(pieces.map { Array($0.utf8) } == (vector["pieces"]?.array ?? []).map { Array($0.text.utf8) })
        }
    }

    /// The hand-written matchers of known patterns and the general matcher find the same words.
    @Test(arguments: ["gpt2", "llama3", "qwen2"])
    func handWrittenMatchersAgreeWithTheGeneralOne(name: String) throws {
        let entry = try #require(Self.cases.first { $0.name == name }?.entry)
        let pattern = try #require(entry["pattern"]?.string)
        let written = try Self.tokenizer(pattern: .string(pattern), behavior: "Isolated")
        // The same language in a spelling that has no hand-written matcher.
        let general = try Self.tokenizer(pattern: .string("(?:\(pattern))"), behavior: "Isolated")
        for vector in entry["texts"]?.array ?? [] {
            let text = vector["text"]?.text ?? ""
            #expect(written.pieces(text) == general.pieces(text))
        }
    }

    @Test(arguments: [
        ("(?P<n>a)", "this kind of group is not supported"),
        (#"\p{Klingon}"#, "the property \\p{Klingon} is not supported"),
        ("[a", "a class is not closed"), ("(a", "a group is not closed"), ("a)", "unexpected )"),
        ("*", "nothing to repeat"),
        (#"(a)\1"#, "the escape \\1 is not supported"), ("(?<=ab)c", "look-behind of more than one character"),
        ("(a?)*", "endless repetition"), ("a{99999}", "is not supported"), ("[z-a]", "not a range"),
    ])
    func unknownSyntaxIsNamed(pattern: String, reason: String) throws {
        #expect {
            _ = try Self.tokenizer(pattern: .string(pattern), behavior: "Isolated")
        } throws: { error in
            "\(error)".contains(reason) && "\(error)".contains("pre_tokenizer.pattern.Regex")
        }
    }

    @Test func catastrophicPatternsEnd() throws {
        let tokenizer = try Self.tokenizer(pattern: "(a+)+b", behavior: "Isolated")
        #expect(tokenizer.pieces(String(repeating: "a", count: 3000)).count == 1)
    }
}
