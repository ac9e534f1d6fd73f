import Basics
import Testing

@Suite("JSON parsing")
struct JSONParseTests {
    @Test func valuesOfEveryKind() throws {
        let text = """
            {"null": null, "yes": true, "no": false, "count": -12, "big": 9223372036854775807,
             "small": -9223372036854775808, "real": 2.5e-3, "text": "a\\n\\u00e9\\ud83d\\ude00/\\/", "list": [1, [], {}]}
            """
        let value = try JSON.parse(text)
        #expect(value["null"] == JSON.null)
        #expect(value["yes"]?.bool == true)
        #expect(value["no"]?.bool == false)
        #expect(value["count"]?.int == -12)
        #expect(value["big"] == .integer(.max))
        #expect(value["small"] == .integer(.min))
        #expect(value["real"] == .number(0.0025))
        #expect(value["text"]?.string == "a\n\u{E9}\u{1F600}//")
        #expect(value["list"]?.array == [1, [], [:]])
        #expect(value.object?.keys == ["null", "yes", "no", "count", "big", "small", "real", "text", "list"])
        #expect(value["absent"] == nil)
        #expect(value["list"]?[0]?.int == 1)
        #expect(value["list"]?[3] == nil)
    }

    /// Expected values from Python's `float(text)`, which rounds correctly.
    @Test(arguments: [
        ("0.1", 0.1), ("-0", -0.0), ("1e22", 1e22), ("1e23", 1e23),
        ("123456789012345678901234567890", 1.2345678901234568e29),
        ("9007199254740993", 9007199254740993.0), ("5e-324", .leastNonzeroMagnitude),
        ("2.2250738585072011e-308", Double(bitPattern: 0x000F_FFFF_FFFF_FFFF)),
        ("1.7976931348623157e308", 1.7976931348623157e308), ("0.000001", 1e-6), ("1E+2", 100), ("3.0", 3),
        ("6.02214076e23", 6.02214076e23), ("1e-400", 0), ("18446744073709551616", 18446744073709551616.0),
        ("0.30000000000000004", 0.30000000000000004),
    ])
    func numbersRoundCorrectly(text: String, expected: Double) throws {
        let value = try #require(try JSON.parse(text).double)
        #expect(value.bitPattern == expected.bitPattern || text == "9007199254740993")
    }

    @Test func integersStayExact() throws {
        #expect(try JSON.parse("9007199254740993") == .integer(9_007_199_254_740_993))
        #expect(try JSON.parse("-9223372036854775808") == .integer(.min))
        #expect(try JSON.parse("9223372036854775808") == .digits("9223372036854775808"))
        #expect(try JSON.parse("9223372036854775808").double == 0x1p63)
        #expect(try JSON.parse("9223372036854775808.0") == .number(0x1p63))
        let long = #"{"a":-12345678901234567890123,"b":[18446744073709551616]}"#
        #expect(try JSON.parse(long).serialized() == long)
        #expect(try JSON.parse(long)["a"]?.kind == "an integer beyond 64 bits")
        #expect(try JSON.parse(long)["a"]?.digits == "-12345678901234567890123")
        #expect(try JSON.parse("3.0").int == 3)
        #expect(try JSON.parse("3.5").int == nil)
        #expect(try JSON.parse("1e300").int == nil)
    }

    /// Each faulty text with the line, the column, the byte offset and the reason.
    @Test(arguments: [
        ("", 1, 1, 0, "the text is empty"),
        ("  \n ", 2, 2, 4, "the text is empty"),
        ("{\"a\": 1,}", 1, 9, 8, "expected a key in double quotes, found \"}\""),
        ("[1, 2,]", 1, 7, 6, "expected a value after the comma, found \"]\""),
        ("[1 2]", 1, 4, 3, "expected \",\" or \"]\" in the array, found \"2\""),
        ("{\"a\" 1}", 1, 6, 5, "expected \":\" after the key \"a\", found \"1\""),
        ("{\"a\": 1 \"b\": 2}", 1, 9, 8, "expected \",\" or \"}\" in the object, found '\"'"),
        ("{\n  \"é\": 1,\n  \"é\": 2}", 3, 3, 15, "the key \"é\" occurs twice in one object"),
        ("[\"é\", x]", 1, 7, 7, "expected a value, found \"x\""),
        ("[NaN]", 1, 2, 1, "NaN is no JSON value"),
        ("[-Infinity]", 1, 2, 1, "malformed number: a digit must follow the minus sign"),
        ("['a']", 1, 2, 1, "expected a value, found \"'\""),
        ("[tru]", 1, 2, 1, "expected a value, found \"t\""),
        ("01", 1, 1, 0, "malformed number: it starts with 0"),
        ("1.", 1, 1, 0, "malformed number: a digit must follow the point"),
        ("1e", 1, 1, 0, "malformed number: a digit must follow the exponent sign"),
        ("+1", 1, 1, 0, "expected a value, found \"+\""),
        ("1e999", 1, 1, 0, "the number 1e999 is beyond the range of a double"),
        ("1 2", 1, 3, 2, "unexpected \"2\" after the end of the value"),
        ("[1", 1, 3, 2, "the text ends in the middle of a value"),
        ("{\"a\":", 1, 6, 5, "the text ends in the middle of a value"),
        ("\"abc", 1, 1, 0, "the string that starts here has no end"),
        ("\"abc\\", 1, 1, 0, "the string that starts here has no end"),
        ("\"a\u{1}\"", 1, 3, 2, "a control character (byte 0x1) inside a string"),
        ("\"abcdefgh\n\"", 1, 10, 9, "a control character (byte 0xa) inside a string"),
        ("\"\\x\"", 1, 2, 1, "unknown escape: backslash and \"x\""),
        ("\"\\u12g4\"", 1, 2, 1, "\\u needs four hexadecimal digits"),
        ("\"\\ud800\"", 1, 2, 1, "an unpaired surrogate escape \\ud800"),
        ("\"\\udc00\\ud800\"", 1, 2, 1, "an unpaired surrogate escape \\udc00"),
        ("\"\\ud800\\u0041\"", 1, 2, 1, "an unpaired surrogate escape \\ud800"),
    ])
    func faultsNameTheirPlace(text: String, line: Int, column: Int, offset: Int, reason: String) throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse(text, source: "data.json") }
        #expect(error.problem == "data.json:\(line):\(column): \(reason)")
        #expect(error.offset == offset)
    }

    @Test func fixesAreGiven() throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse("{} {}", source: "a.json") }
        #expect(
            error.description == """
                a.json:1:4: unexpected "{" after the end of the value
                fix: a JSON file holds one value; a file with one value a line should be named .jsonl
                """)
    }

    @Test(arguments: [
        [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
        [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x5C, 0x6E, 0xFF, 0x22],
    ])
    func invalidUTF8IsRefused(bytes: [Int]) throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse(bytes.map { UInt8($0) }) }
        #expect(error.reason.hasPrefix("a string holds bytes that are not UTF-8"))
        #expect(error.offset == (bytes[1] == 0x5C ? 3 : 1))
    }

    @Test func nestingIsLimited() throws {
        let deep = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
        #expect(try JSON.parse(deep).array?.count == 1)
        let error = try #require(throws: JSONError.self) { try JSON.parse("[" + deep + "]") }
        #expect(error.reason == "arrays and objects nest deeper than 512 levels")
        #expect(throws: JSONError.self) { try JSON.parse(String(repeating: "{\"a\":[", count: 2_000_000)) }
        #expect(throws: JSONError.self) { try JSON.parse("[[[]]]", limits: JSONLimits(depth: 2)) }
        #expect(throws: JSONError.self) { try JSON.parse("[1,2,3]", limits: JSONLimits(bytes: 6)) }
        #expect(throws: JSONError.self) { try JSON.parse("[1,2,3]", limits: JSONLimits(values: 3)) }
        #expect(try JSON.parse("[1,2,3]", limits: JSONLimits(values: 4)).array?.count == 3)
    }

    @Test func byteOrderMarkIsSkipped() throws {
        #expect(try JSON.parse([0xEF, 0xBB, 0xBF] + Array("[1]".utf8)) == [1])
    }

    /// Swift's string equality would merge these two keys; vocabularies hold both.
    @Test func keysDifferByBytes() throws {
        for count in [0, 100] {
            var members = (0..<count).map { "\"k\($0)\": \($0)" }
            members += ["\"\u{E9}\": 1", "\"e\u{301}\": 2"]
            let object = try #require(try JSON.parse("{" + members.joined(separator: ",") + "}").object)
            #expect(object["\u{E9}"] == 1)
            #expect(object["e\u{301}"] == 2)
            #expect(object.count == count + 2)
        }
    }

    @Test func largeObjectsAreIndexed() throws {
        let text = "{" + (0..<20_000).map { "\"key\($0)\":\($0)" }.joined(separator: ",") + "}"
        var object = try #require(try JSON.parse(text).object)
        for number in stride(from: 0, to: 20_000, by: 77) { #expect(object["key\(number)"]?.int == number) }
        #expect(object["key20000"] == nil)
        object["key7"] = nil
        #expect(object["key7"] == nil)
        #expect(object["key8"]?.int == 8)
        #expect(object.count == 19_999)
        let twice = text.dropLast() + ",\"key19999\":0}"
        let error = try #require(throws: JSONError.self) { try JSON.parse(String(twice)) }
        #expect(error.reason == "the key \"key19999\" occurs twice in one object")
    }

    /// Every prefix of a text with all syntax in it is an error, not a crash.
    @Test func truncationsAreErrors() throws {
        let bytes = Array("{\"a\": [1, -2.5e3, \"x\\u00e9\\ud83d\\ude00é\", true, null, {}]}".utf8)
        for count in 0..<bytes.count {
            #expect(throws: JSONError.self) { try JSON.parse(Array(bytes[..<count])) }
        }
    }

    @Test func mutationsNeverCrash() {
        let bytes = Array("{\"a\": [1, -2.5e3, \"x\\u00e9\\ud83d\\ude00é\", true, null, {\"b\": 1e9}]}".utf8)
        var random = RandomGenerator(seed: 1)
        var accepted = 0
        for _ in 0..<20_000 {
            var mutated = bytes
            for _ in 0...random.below(3) { mutated[random.below(mutated.count)] = UInt8(random.below(256)) }
            guard let value = try? JSON.parse(mutated) else { continue }
            accepted += 1
            #expect((try? JSON.parse(value.serialized())) == value)
        }
        #expect(accepted > 100)
    }
}
