import Basics
import Testing
import Tokenization

/// Damaged files give an error that names the place, never a crash.
@Suite struct DamagedTokenizerTests {
    static func tokenizer(_ changes: [(String, JSON)]) throws -> Tokenizer {
        let base: [(String, JSON)] = [
            ("type", "BPE"), ("vocab", ["a": 0, "b": 1, "ab": 2]), ("merges", [["a", "b"]]),
        ]
        var model = JSONObject(base)
        var file = JSONObject()
        for (key, value) in changes {
            if key.hasPrefix("model.") { model[String(key.dropFirst(6))] = value } else { file[key] = value }
        }
        if file["model"] == nil { file["model"] = .object(model) }
        return try Tokenizer(json: JSON.object(file).serialized())
    }

    @Test func theUndamagedOneWorks() throws {
        #expect(try Self.tokenizer([]).encode("aab") == [0, 2])
    }

    /// Equivalent spellings are different tokens: a vocabulary may hold both.
    @Test func tokensAreComparedByteByByte() throws {
        let tokenizer = try Self.tokenizer([
            ("model.vocab", ["\u{3AF}": 0, "\u{1F77}": 1, "a": 2, "a\u{1F77}": 3]),
            ("model.merges", [["a", "\u{1F77}"]]),
        ])
        #expect(tokenizer.encode("a\u{3AF}\u{1F77}a\u{1F77}") == [2, 0, 1, 3])
    }

    static let damages: [(key: String, value: JSON, message: String)] = [
        ("model", nil, "model: is missing"),
        ("model", 3, "model: expected an object"),
        ("model.type", "Magic", "model \"Magic\" is not supported"),
        ("model.vocab", ["a": -1], "out of range"),
        ("model.vocab", ["a": 9_999_999], "out of range"),
        ("model.vocab", ["a": 0, "b": 0], "have the same id 0"),
        ("model.vocab", ["a": "x"], "is not a whole number"),
        ("model.vocab", ["a": 0, "b": 1], "the token \"ab\" is not in the vocabulary"),
        ("model.merges", ["a b c"], "model.merges[0]: expected two parts"),
        ("model.merges", [["a"]], "model.merges[0]: expected two strings"),
        ("model.merges", 7, "model.merges: expected an array"),
        ("model.dropout", 0.1, "merge dropout is not supported"),
        ("added_tokens", [["id": 1, "content": "x"]], "\"x\" has the id 1 of \"b\""),
        ("added_tokens", [["id": 16_000_000, "content": "x"]], "far beyond the vocabulary"),
        ("added_tokens", [["id": -5, "content": "x"]], "added_tokens[0].id: -5 is out of range"),
        ("added_tokens", [["id": 5]], "added_tokens[0].content: is missing"),
        ("normalizer", ["type": "Sequence", "normalizers": [["type": "Zap"]]], "normalizer.normalizers[0].type"),
        ("normalizer", ["type": "Precompiled", "precompiled_charsmap": "!!"], "is not base64"),
        ("normalizer", ["type": "Precompiled", "precompiled_charsmap": "/////w=="], "is too short"),
        ("normalizer", ["type": "Precompiled", "precompiled_charsmap": "////fwAAAAA="], "says that its trie has"),
        ("pre_tokenizer", ["type": "Split", "pattern": ["Regex": "("], "behavior": "Isolated"], "is not closed"),
        ("pre_tokenizer", ["type": "Split", "pattern": ["String": "x"], "behavior": "Odd"], "is not a split behavior"),
        ("pre_tokenizer", ["type": "Metaspace", "replacement": "xy"], "expected one character"),
        (
            "post_processor", ["type": "BertProcessing", "sep": ["s", 77], "cls": ["c", 0]], "is not in the vocabulary"
        ),
        ("decoder", ["type": "Strip", "content": ""], "decoder.content: expected one character"),
        ("model", ["type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]], "9 is not an id of the vocabulary"),
        ("model", ["type": "Unigram", "vocab": [["a"]]], "model.vocab[0]: expected a token and its score"),
    ]

    @Test(arguments: damages.indices)
    func damageIsNamed(index: Int) throws {
        let damage = Self.damages[index]
        #expect {
            _ = try Self.tokenizer([(damage.key, damage.value)])
        } throws: { error in
            (error as? any Problem)?.problem.contains(damage.message) == true
        }
    }

    /// Bytes of whole files changed at random: an error or a tokenizer that encodes without crashing.
    @Test(arguments: ["byte-level", "unigram", "word-piece", "metaspace"])
    func mutatedFilesNeverCrash(kind: String) throws {
        let original = try Files.read(Paths.join(TestFiles.fixture(kind), "tokenizer.json"))
        var random = RandomGenerator(seed: 5)
        var errors = 0
        for _ in 0..<60 {
            var bytes = original
            for _ in 0...random.below(3) {
                let place = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[place] = UInt8(32 + random.below(95))
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(40)))
                default: bytes.replaceSubrange(place..<place, with: [UInt8(48 + random.below(10))])
                }
            }
            do {
                let tokenizer = try Tokenizer(json: String(decoding: bytes, as: UTF8.self))
                _ = tokenizer.decode(tokenizer.encode("It's a red ▁ circle 12 é 图 </s>", allowSpecial: true))
            } catch {
                #expect(error is any Problem)
                errors += 1
            }
        }
        #expect(errors > 10)
    }

    @Test(arguments: ["sentence-piece-bpe", "sentence-piece-unigram"])
    func mutatedSentencePieceFilesNeverCrash(kind: String) throws {
        let original = try Files.read(Paths.join(TestFiles.fixture(kind), "tokenizer.model"))
        let folder = try Files.makeTemporaryDirectory("tokenizer")
        defer { try? Files.remove(folder) }
        var random = RandomGenerator(seed: 9)
        for round in 0..<60 {
            var bytes = original
            if round % 3 == 0 { bytes.removeLast(random.below(bytes.count)) }
            if !bytes.isEmpty { for _ in 0..<4 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) } }
            try Files.write(bytes, to: Paths.join(folder, "tokenizer.model"))
            do {
                let tokenizer = try Tokenizer(folder: folder)
                _ = tokenizer.decode(tokenizer.encode("It's a red circle 12 é 图 \n <sep>"))
            } catch {
                #expect(error is any Problem)
            }
        }
    }

    @Test func aFolderWithoutTokenizerSaysSo() throws {
        let folder = try Files.makeTemporaryDirectory("tokenizer")
        defer { try? Files.remove(folder) }
        #expect {
            _ = try Tokenizer(folder: folder)
        } throws: { error in
            "\(error)".contains("has neither tokenizer.json nor tokenizer.model")
        }
    }
}
