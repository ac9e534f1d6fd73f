import Basics
import Testing

@Suite("JSON on a tape")
struct JSONTapeTests {
    /// A value drawn at random, with keys and texts that need escapes, and objects with and without an index.
    private func value(_ random: inout RandomGenerator, depth: Int) -> JSON {
        let texts = [
            "", "plain", "say \"so\"", "back\\slash", "line\nend\ttab", "é😀中", "\u{1}\u{1F}",
            "a long text of more than a word",
        ]
        switch random.below(depth > 3 ? 5 : 7) {
        case 0: return .null
        case 1: return .bool(random.below(2) == 0)
        case 2: return .integer(Int64(bitPattern: random.next()))
        case 3: return .number(Double(random.below(2_000_001) - 1_000_000) / 1024)
        case 4: return .string(texts[random.below(texts.count)])
        case 5: return .array((0..<random.below(5)).map { _ in value(&random, depth: depth + 1) })
        default:
            var object = JSONObject()
            for number in 0..<random.below(20) {
                object["\(texts[random.below(texts.count)])\(number)"] = value(&random, depth: depth + 1)
            }
            return .object(object)
        }
    }

    @Test func viewsSayWhatValuesSay() throws {
        var random = RandomGenerator(seed: 3)
        let tape = JSONTape()
        for _ in 0..<400 {
            let expected = value(&random, depth: 0)
            let bytes = expected.serializedBytes(pretty: random.below(2) == 0)
            try bytes.withUnsafeBytes { try tape.read($0) }
            try bytes.withUnsafeBytes { bytes in
                try tape.withRoot { root in
                    #expect(root.json == expected)
                    #expect(root.kind == expected.kind)
                    #expect(root.string == expected.string)
                    #expect(root.array?.map(\.json) == expected.array)
                    #expect(root.keys == expected.object?.keys ?? [])
                    for (key, value) in root.members {
                        let name = try #require(key.string)
                        #expect(value.json == expected[name])
                        // The source of a value is a text of its own.
                        #expect(try JSON.parse(value.source) == value.json)
                    }
                }
            }
        }
    }

    @Test func membersAreFoundByName() throws {
        let bytes = Array(#"{"from": "human", "v\u0061lue": "a \"b\"", "none": null}"#.utf8)
        let tape = JSONTape()
        try bytes.withUnsafeBytes { bytes in
            try tape.read(bytes)
            tape.withRoot { root in
                #expect(root["from"]?.isText("human") == true)
                #expect(root["from"]?.isText("huma") == false)
                #expect(root["value"]?.string == "a \"b\"")
                #expect(root["value"]?.isText("a \"b\"") == true)
                #expect(root["none"]?.isNull == true)
                #expect(root["absent"] == nil)
                #expect(root["from"]?["from"] == nil)
            }
        }
    }

    @Test func equalKeysAreRefusedHoweverTheyAreWritten() {
        #expect(throws: JSONError.self) { try JSON.parse(#"{"value": 1, "v\u0061lue": 2}"#) }
        let many = (0..<30).map { "\"k\($0)\": 0" }.joined(separator: ", ")
        #expect(throws: JSONError.self) { try JSON.parse("{\(many), \"\\u006b7\": 1}") }
        #expect(throws: Never.self) { try JSON.parse("{\(many), \"K7\": 1}") }
    }

    @Test func aTapeIsUsedAgainAfterAFault() throws {
        let tape = JSONTape()
        let (bad, good) = (Array("[1, {\"a\": tru}]".utf8), Array("[2]".utf8))
        #expect(throws: JSONError.self) { try bad.withUnsafeBytes { try tape.read($0) } }
        try good.withUnsafeBytes { bytes in
            try tape.read(bytes)
            #expect(tape.withRoot { $0.json } == [2])
        }
    }

    @Test func textsGrowMemberByMember() throws {
        var text = JSONText()
        text.append(raw: "{\"a\":")
        text.append(string: "quote \" and \u{2} and é")
        let length = text.bytes.count
        text.append(raw: ",\"gone\":1")
        text.truncate(to: length)
        text.append(raw: "}")
        #expect(String(decoding: text.bytes, as: UTF8.self) == #"{"a":"quote \" and \u0002 and é"}"#)
        #expect(try JSON.parse(text.bytes)["a"]?.string == "quote \" and \u{2} and é")
    }

    /// Against the standard library's own decoder.
    @Test func invalidUTF8IsFoundWhereItBegins() {
        var random = RandomGenerator(seed: 9)
        let sample = Array("abcdefgh é 中文 😀 \u{7FF}\u{800}\u{FFFF}\u{10000} end".utf8)
        for _ in 0..<20_000 {
            var bytes = sample
            for _ in 0...random.below(2) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let isValid = String(validating: bytes, as: UTF8.self) != nil
            let found = bytes.withUnsafeBytes { UTF8Text.firstInvalidByte($0) }
            #expect((found == nil) == isValid)
            if let found { #expect(String(validating: bytes[..<found], as: UTF8.self) != nil) }
        }
    }
}
