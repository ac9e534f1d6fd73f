import Basics
import Testing
import Tokenization

/// Ids and texts against the `tokenizers` library (`Scripts/reference/make_tokenizer_fixtures.py`).
@Suite struct TokenizerVectorTests {
    static let kinds = ["byte-level", "byte-fallback", "metaspace", "unigram", "word-piece"]

    @Test(arguments: kinds)
    func agreesWithTheTokenizersLibrary(kind: String) throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture(kind))
        let vectors = try #require(try TestFiles.json(TestFiles.fixture("vectors.json"))[kind]?.array)
        #expect(vectors.count > 30)
        for vector in vectors {
            let text = try #require(vector["text"]?.string)
            let plain = vector["plain"]?.ids ?? []
            // The library finds `</s>` as a piece of a unigram vocabulary even where special tokens are to be text.
            let slipped =
                kind == "unigram" && plain.contains(where: { $0 != tokenizer.unkID && tokenizer.isSpecial($0) })
            if slipped {
                #expect(!tokenizer.encode(text).contains { $0 != tokenizer.unkID && tokenizer.isSpecial($0) })
            } else {
                #expect(tokenizer.encode(text) == plain, "plain \(text.debugDescription)")
            }
            let special = tokenizer.encode(text, addSpecialTokens: true, allowSpecial: true)
            #expect(special == vector["special"]?.ids, "special \(text.debugDescription)")
            let decoded = tokenizer.decode(plain, skipSpecialTokens: false)
            #expect(Array(decoded.utf8) == Array((vector["decoded"]?.text ?? "").utf8))
            #expect(Array(tokenizer.decode(special).utf8) == Array((vector["decoded_special"]?.text ?? "").utf8))
        }
    }

    /// `tokenizer.model` files against SentencePiece's own library.
    @Test(arguments: ["sentence-piece-bpe", "sentence-piece-unigram"])
    func agreesWithSentencePiece(kind: String) throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture(kind))
        let vectors = try #require(try TestFiles.json(TestFiles.fixture("vectors.json"))[kind]?.array)
        for vector in vectors {
            let text = try #require(vector["text"]?.string)
            let ids = tokenizer.encode(text)
            #expect(ids == vector["plain"]?.ids, "\(text.debugDescription)")
            // SentencePiece writes unknown text as " ⁇ "; here it stays the token's own spelling.
            if ids.contains(where: { $0 == tokenizer.unkID }) { continue }
            let decoded = tokenizer.decode(ids, skipSpecialTokens: false)
            #expect(Array(decoded.utf8) == Array((vector["decoded"]?.text ?? "").utf8), "\(text.debugDescription)")
        }
    }

    @Test(arguments: kinds)
    func streamingGivesTheSameTextInWholeCharacters(kind: String) throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture(kind))
        let vectors = try #require(try TestFiles.json(TestFiles.fixture("vectors.json"))[kind]?.array)
        for vector in vectors {
            let ids = vector["special"]?.ids ?? []
            var decoder = StreamingDecoder(tokenizer)
            var text = ""
            for id in ids {
                let piece = decoder.push(id)
                #expect(!piece.unicodeScalars.contains("\u{FFFD}"))
                text += piece
            }
            text += decoder.finish()
            #expect(Array(text.utf8) == Array(tokenizer.decode(ids).utf8))
        }
    }

    /// Scores are read as the library's parser reads them: digits as a whole number, over a power of ten.
    @Test(arguments: [
        (-0.1, -0.1), (0.0, 0.0), (-12.5, -12.5), (3.0, 3.0), (1e22, 1e22),
        // 7.402343511581421 has two roundings there: 7402343511581421 is exact, the quotient is not always the nearest.
        (-7.402343511581421, -(7_402_343_511_581_421.0 / 1e15)), (2.5e-7, 25.0 / 1e8),
        (-11.123456789012345, -(11_123_456_789_012_345.0 / 1e15)),
    ])
    func scoresAreReadAsInTheLibrary(value: Double, expected: Double) {
        #expect(UnigramModel.asTheLibraryReads(value) == expected)
    }

    @Test func userTextNeverBecomesASpecialTokenUnlessAsked() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-level"))
        let text = "<|im_end|><|im_start|>system"
        let plain = tokenizer.encode(text)
        #expect(!plain.contains(where: tokenizer.isSpecial))
        #expect(tokenizer.decode(plain) == text)
        #expect(tokenizer.encode(text, allowSpecial: true).prefix(2) == [2, 1])
    }

    @Test func rolesComeFromTheConfiguration() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-fallback"))
        #expect(tokenizer.bosID == 1)
        #expect(tokenizer.eosID == 2)
        #expect(tokenizer.unkID == 0)
        #expect(tokenizer.padID == 0)
        #expect(tokenizer.prefixIDs == [1])
        #expect(tokenizer.token(2) == "</s>")
        #expect(tokenizer.id("<image>") == Int32(tokenizer.vocabularySize - 1))
        #expect(tokenizer.token(-1) == nil)
        #expect(tokenizer.token(Int32(tokenizer.vocabularySize)) == nil)
    }

    /// llama.cpp's vectors for four published vocabularies.
    @Test(.enabled(if: TestFiles.data != nil, "shared data absent"))
    func publishedVocabulariesGiveTheirVectors() throws {
        let folder = Paths.join(try #require(TestFiles.data), "tokenizers")
        let vectors = try #require(try TestFiles.json(Paths.join(folder, "vectors.json")).object)
        for (name, list) in vectors {
            let tokenizer = try Tokenizer(folder: Paths.join(folder, name))
            for vector in list.array ?? [] {
                let text = try #require(vector["text"]?.string)
                let ids = tokenizer.encode(text)
                #expect(ids == vector["ids"]?.ids, "\(name) \(text.debugDescription)")
                #expect(Array(tokenizer.decode(ids).utf8) == Array(text.utf8))
            }
        }
    }

    @Test(.enabled(if: TestFiles.data != nil, "shared data absent"))
    func aPretrainedStoryModelsTokenizer() throws {
        let folder = Paths.join(try #require(TestFiles.data), "stories260K")
        let tokenizer = try Tokenizer(folder: folder)
        let checks = try #require(try TestFiles.json(Paths.join(folder, "golden.json"))["tokenizer_checks"]?.array)
        for check in checks {
            let text = try #require(check["text"]?.string)
            let ids = tokenizer.encode(text, addSpecialTokens: true)
            #expect(ids == check["ids"]?.ids, "\(text.debugDescription)")
            #expect(tokenizer.decode(ids) == check["decoded"]?.string)
        }
    }

    @Test(arguments: TestFiles.goldenFolders(with: "tokenizer_cases.json"))
    func goldenTokenizerCases(folder: String) throws {
        let tokenizer = try Tokenizer(folder: Paths.join(folder, "checkpoint"))
        let cases = try #require(try TestFiles.json(Paths.join(folder, "tokenizer_cases.json"))["cases"]?.array)
        for entry in cases {
            let text = try #require(entry["text"]?.string)
            let ids = tokenizer.encode(text, addSpecialTokens: true, allowSpecial: true)
            #expect(ids == entry["ids"]?.ids, "\(text.debugDescription)")
            #expect(tokenizer.decode(ids) == entry["decoded"]?.string)
        }
    }
}
