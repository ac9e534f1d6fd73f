import Basics
import TestSupport
import Testing
import Tokenization

/// Files made to exhaust the stack, the time or the memory, or to bring bytes into the text that are no characters.
@Suite struct HostileTokenizerTests {
    static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    static let patterns: [(pattern: String, reason: String)] = [
        (repeated("[", 20_000), "nested too deeply"),
        (repeated("[a&&", 20_000), "nested too deeply"),
        (repeated("[a&&[", 20_000), "nested too deeply"),
        (repeated("(?:", 60) + repeated("[", 10) + "a", "nested too deeply"),
        ("(?:ab)" + repeated("{1}", 40_000), "more than 8 quantifiers"),
        ("(?:ab)" + repeated("?+", 100_000), "more than 8 quantifiers"),
        ("(?:){1000}{1000}{1000}{1000}a", "the pattern is too large"),
        ("(?:(?:){1000}){1000}{1000}a", "the pattern is too large"),
        ("(?:(?>){1000}){1000}{1000}a", "the pattern is too large"),
        ("(?:(?:(?=){1000}){1000}){1000}a", "the pattern is too large"),
        ("(?>(?>(?:abcdefghij){15}){15}){15}", "the pattern is too large"),
    ]

    @Test(arguments: patterns.indices)
    func patternsThatNeverEndAreRefused(index: Int) throws {
        let (pattern, reason) = Self.patterns[index]
        #expect {
            _ = try SplitTests.tokenizer(pattern: .string(pattern), behavior: "Isolated")
        } throws: { error in
            "\(error)".contains(reason) && "\(error)".contains("pre_tokenizer.pattern.Regex")
        }
    }

    /// What is within the limits works, also on the stack of a thread.
    @Test(arguments: ["?+", "{1}", "??"])
    func theDeepestPatternsWork(quantifier: String) throws {
        let quantifiers = Self.repeated(quantifier, 8)
        let pattern = Self.repeated("(?:", 60) + "ab" + Self.repeated(")" + quantifiers, 60) + "[c&&[c]]"
        let tokenizer = try SplitTests.tokenizer(pattern: .string(pattern), behavior: "Isolated")
        #expect(tokenizer.pieces("xcx") == (quantifier == "{1}" ? ["xcx"] : ["x", "c", "x"]))
    }

    /// Stages that multiply what the ones before them have written; those that files have in earnest load.
    @Test(arguments: [
        (64, 3, true), (64, 2, false), (20_000, 1, true), (1, 50, false),
    ]) func textsDoNotGrowWithoutBound(length: Int, stages: Int, isRefused: Bool) throws {
        let replace: JSON = [
            "type": "Replace", "pattern": ["Regex": "a+"], "content": .string(Self.repeated("a", length)),
        ]
        let model: JSON = ["type": "BPE", "vocab": ["a": 0], "merges": []]
        for (stage, list) in [("normalizer", "normalizers"), ("decoder", "decoders")] {
            let chain = JSONObject([
                ("type", .string("Sequence")), (list, .array(Array(repeating: replace, count: stages))),
            ])
            let object = JSONObject([("model", model), (stage, .object(chain))])
            let refusal = problem { _ = try Tokenizer(json: JSON.object(object).serialized()) }
            #expect((refusal != nil) == isRefused, "\(stage)")
            #expect(refusal?.problem.contains("10,000 times as long") ?? true)
        }
    }

    /// A tokenizer that replaces by a trie with the key "a", or another byte, and then decomposes.
    static func tokenizer(map: String) throws -> Tokenizer {
        let json: JSON = [
            "model": ["type": "BPE", "vocab": ["a": 0, "b": 1, "é": 2], "merges": [], "unk_token": "b"],
            "normalizer": [
                "type": "Sequence",
                "normalizers": [["type": "Precompiled", "precompiled_charsmap": .string(map)], ["type": "NFKD"]],
            ],
        ]
        return try Tokenizer(json: json.serialized())
    }

    @Test func aSoundMapReplaces() throws {
        #expect(try Self.tokenizer(map: "DAAAAACAAQBhDQAAAAAAgGIA").pieces("a") == ["b"])
    }

    @Test(arguments: [
        // The replacements F7 BF BF BF, beyond the last character, and C3 at the end of one.
        ("DAAAAACAAQBhDQAAAAAAgPe/v78A", "a replacement that is not UTF-8"),
        ("DAAAAACAAQBhDQAAAAAAgGLDAA==", "a replacement that is not UTF-8"),
        // The second byte of é, and the ninth of two.
        ("DAAAAACAAQBhDQAAAQAAgMOpAA==", "a replacement that begins inside a character"),
        ("DAAAAACAAQBhDQAACQAAgGIA", "a replacement behind its end"),
    ])
    func mapsThatBreakTextAreErrors(map: String, reason: String) throws {
        #expect {
            _ = try Self.tokenizer(map: map)
        } throws: { error in
            "\(error)".contains(reason) && "\(error)".contains("precompiled_charsmap")
        }
    }

    /// A key of C3 alone, the first byte of é.
    @Test func keysInsideACharacterReplaceNothing() throws {
        #expect(try Self.tokenizer(map: "DAAAAAAIAwDDDQAAAAAAgGIA").pieces("\u{C6}") == ["\u{C6}"])
    }

    /// Each "a" leaves hundreds of choices behind: 3 GB for this text where they have no limit.
    @Test func choicesHaveALimit() throws {
        let pattern = "(?:(?:(?=a)|z){600}a)+b"
        let tokenizer = try SplitTests.tokenizer(pattern: .string(pattern), behavior: "Isolated")
        let text = Self.repeated("a", 200_000)
        let taken = memoryTaken(lessThan: 1 << 30) {
            let count = tokenizer.pieces(text).count
            #expect(count == 1)
        }
        #expect(taken < 1 << 30)
    }
}
