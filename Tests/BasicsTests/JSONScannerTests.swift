import Basics
import Testing

@Suite("JSON scanning")
struct JSONScannerTests {
    private func elements(_ text: String) throws -> [String] {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBytes { buffer in
            try JSONScanner.elements(of: buffer, source: "big.json").map { String(decoding: buffer[$0], as: UTF8.self) }
        }
    }

    @Test func findsElements() throws {
        #expect(
            try elements(" [ {\"a\": [1, 2], \"b\": \"],\\\"}\"} , 2 ,[ [] ],\"x\\\\\" ]\n")
                == ["{\"a\": [1, 2], \"b\": \"],\\\"}\"}", "2", "[ [] ]", "\"x\\\\\""])
        #expect(try elements("[]") == [])
        #expect(try elements("\u{FEFF}[1]") == ["1"])
    }

    @Test(arguments: [
        ("{}", "1:1: expected an array, found \"{\""), ("", "1:1: expected an array, found the end of the text"),
        ("[1,]", "1:4: expected a value, found \"]\""), ("[,1]", "1:2: expected a value, found \",\""),
        ("[1", "1:3: the text ends in the middle of a value"),
        ("[{\"a\":1", "1:8: the text ends in the middle of a value"),
        ("[\"abc", "1:2: the string that starts here has no end"),
        ("[1] 2", "1:5: unexpected \"2\" after the end of the array"),
        ("[1}", "1:3: a \"}\" without its \"{\""),
    ])
    func faults(text: String, message: String) throws {
        let error = try #require(throws: JSONError.self) { try elements(text) }
        #expect(error.problem == "big.json:" + message)
    }

    /// The ranges parse to what the whole array parses to.
    @Test func agreesWithTheParser() throws {
        var random = RandomGenerator(seed: 3)
        for _ in 0..<300 {
            let value = JSON.array((0..<random.below(6)).map { _ in randomValue(&random, depth: 3) })
            let text = value.serialized(pretty: random.below(2) == 0)
            #expect(try elements(text).map { try JSON.parse($0) } == value.array)
        }
    }

    private func randomValue(_ random: inout RandomGenerator, depth: Int) -> JSON {
        switch random.below(depth == 0 ? 4 : 6) {
        case 0: .null
        case 1: .int(random.below(1000) - 500)
        case 2: .string(String(["a", "\"", "\\", "]", "}", ",", "é", "\n"][random.below(8)]))
        case 3: .number(random.normal())
        case 4: .array((0..<random.below(4)).map { _ in randomValue(&random, depth: depth - 1) })
        default:
            .object(JSONObject((0..<random.below(4)).map { ("k\($0)", randomValue(&random, depth: depth - 1)) }))
        }
    }

    @Test func linesKeepTheirNumbers() {
        let bytes = Array("{}\n\n  \r\n[1]\r\nlast".utf8)
        let lines = bytes.withUnsafeBytes { JSONScanner.lines(of: $0) }
        #expect(lines.map(\.number) == [1, 4, 5])
        #expect(lines.map { String(decoding: bytes[$0.range], as: UTF8.self) } == ["{}", "[1]", "last"])
    }
}
