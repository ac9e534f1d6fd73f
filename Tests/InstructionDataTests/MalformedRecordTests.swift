import Basics
import InstructionData
import TestSupport
import Testing
import Tokenization

/// Records that are wrong: each message names the line, what is wrong, and what to do.
@Suite struct MalformedRecordTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var record: String
        var reason: String
        var testDescription: String { reason }
        init(_ record: String, _ reason: String) { (self.record, self.reason) = (record, reason) }
    }

    private static func llava(_ turns: String, _ rest: String = "") -> String {
        "{\(rest)\"conversations\": [\(turns)]}"
    }
    private static let human = #"{"from": "human", "value": "Q"}"#
    private static let gpt = #"{"from": "gpt", "value": "A"}"#
    private static let user = #"{"role": "user", "content": "Q"}"#
    private static let assistant = #"{"role": "assistant", "content": "A"}"#

    static let cases: [Case] = [
        // JSON itself
        Case("{", ""), Case("nonsense", ""), Case(#"{"id": 1,}"#, ""), Case(#"{"id": "a" "b": 1}"#, ""),
        Case(#"{"id": 1, "id": 2}"#, ""), Case(#"{"id": "\uD800"}"#, ""), Case(#"{"id": 01}"#, ""),
        Case(String(repeating: "[", count: 600), ""),
        // the record
        Case("3", "a record must be a JSON object, not an integer"),
        Case("\"text\"", "a record must be a JSON object"), Case("null", "a record must be a JSON object"),
        Case("[]", "a record must be a JSON object"),
        Case("{}", "neither \"conversations\" nor \"messages\""),
        Case(#"{"conversation": []}"#, "neither \"conversations\""),
        Case(#"{"conversations": {}}"#, "\"conversations\" must be a list, not an object"),
        Case(#"{"conversations": []}"#, "has no turns"), Case(#"{"messages": []}"#, "has no turns"),
        Case(#"{"messages": "hello"}"#, "\"messages\" must be a list, not a string"),
        Case(#"{"id": [1], "conversations": [\#(human), \#(gpt)]}"#, "\"id\" must be a text or a whole number"),
        Case(#"{"id": 1.5, "conversations": [\#(human), \#(gpt)]}"#, "\"id\" must be"),
        // turns
        Case(llava("3"), "conversations[0] must be an object, not an integer"),
        Case(llava(#"{"value": "Q"}"#), "conversations[0] has no text \"from\""),
        Case(llava(#"{"from": 1, "value": "Q"}"#), "conversations[0] has no text \"from\""),
        Case(llava(#"{"from": "human"}"#), "conversations[0] has no text \"value\""),
        Case(llava(#"{"from": "human", "value": null}"#), "conversations[0] has no text \"value\""),
        Case(llava(#"{"from": "humam", "value": "Q"}"#), "unknown role \"humam\""),
        Case(llava(#"{"from": "tool", "value": "Q"}"#), "unknown role \"tool\""),
        Case(llava("\(human), \(human), \(gpt)"), "turn 2: two user turns in a row"),
        Case(llava("\(human), \(gpt), \(gpt)"), "turn 3: two assistant turns in a row"),
        Case(llava("\(gpt), \(human), \(gpt)"), "turn 1: the conversation begins with an answer"),
        Case(llava(human), "ends without an answer"),
        Case(llava("\(human), \(gpt), \(human)"), "ends without an answer"),
        Case(llava(#"{"from": "system", "value": "s"}"#), "ends without an answer"),
        Case(llava(human + #", {"from": "gpt", "value": ""}"#), "turn 2: the answer is empty"),
        Case(llava(human + #", {"from": "gpt", "value": " \n\t"}"#), "turn 2: the answer is empty"),
        Case(llava(#"{"from": "human", "value": ""}, "# + gpt), "turn 1: the question is empty"),
        Case(llava("\(human), \(gpt), " + #"{"from": "system", "value": "s"}"#), "turn 3 is a system turn"),
        Case(#"{"messages": [1]}"#, "messages[0] must be an object"),
        Case(#"{"messages": [{"content": "Q"}]}"#, "messages[0] has no text \"role\""),
        Case(#"{"messages": [{"role": "user"}]}"#, "messages[0] has no \"content\""),
        Case(#"{"messages": [{"role": "usr", "content": "Q"}]}"#, "unknown role \"usr\""),
        Case(#"{"messages": [{"role": "function", "content": "Q"}]}"#, "unknown role \"function\""),
        Case(#"{"messages": [{"role": "user", "content": 4}]}"#, "\"content\" must be a text or a list of parts"),
        Case(#"{"messages": [{"role": "user", "content": [4]}]}"#, "content[0] has no text \"type\""),
        Case(#"{"messages": [{"role": "user", "content": [{"type": "text"}]}]}"#, "content[0] has no \"text\""),
        Case(#"{"messages": [{"role": "user", "content": [{"type": "audio"}]}]}"#, "unknown part type \"audio\""),
        Case(#"{"messages": [\#(user), \#(user)]}"#, "two user turns in a row"),
        Case(#"{"messages": [\#(assistant)]}"#, "begins with an answer"),
        // pictures
        Case(
            llava("\(human), \(gpt)", #""image": 3, "#), "\"image\" must be a path or a list of paths, not an integer"),
        Case(llava("\(human), \(gpt)", #""image": {"a": 1}, "#), "\"image\" must be a path"),
        Case(llava("\(human), \(gpt)", #""image": [3], "#), "\"image\"[0] must be a path"),
        Case(llava("\(human), \(gpt)", #""image": "", "#), "path is empty"),
        Case(llava("\(human), \(gpt)", #""image": "/etc/passwd", "#), "\"/etc/passwd\" is absolute"),
        Case(llava("\(human), \(gpt)", #""image": "~/a.png", "#), "is absolute"),
        Case(llava("\(human), \(gpt)", #""image": "../a.png", "#), "leaves the picture folder"),
        Case(llava("\(human), \(gpt)", #""image": "a/../../b.png", "#), "leaves the picture folder"),
        Case(llava("\(human), \(gpt)", #""image": "../s.tar#a.png", "#), "leaves the picture folder"),
        Case(llava("\(human), \(gpt)", #""image": "a\u0000.png", "#), "NUL byte"),
        Case(llava("\(human), \(gpt)", #""image": "https://x/a.png", "#), "not a local file"),
        Case(llava("\(human), \(gpt)", #""image": "data:image/png;base64,AAAA", "#), "not a local file"),
        Case(llava(#"{"from": "human", "value": "<image> Q"}, "# + gpt), "1 <image> marker for 0 pictures"),
        Case(
            llava(#"{"from": "human", "value": "<image><image> Q"}, "# + gpt, #""image": "a.png", "#),
            "2 <image> markers for 1 picture"),
        Case(
            llava(#"{"from": "human", "value": "<image> Q"}, "# + gpt, #""image": ["a.png", "b.png"], "#),
            "1 <image> marker for 2 pictures"),
        Case(llava(human + #", {"from": "gpt", "value": "<image> A"}"#), "turn 2: <image> stands in an answer"),
        Case(
            #"{"messages": [{"role": "user", "content": [{"type": "image"}]}, \#(assistant)]}"#,
            "1 <image> marker for 0 pictures"),
        Case(
            #"{"images": "a.png", "messages": [{"role": "user", "content": [{"type": "image"}, {"type": "image"}]}, \#(assistant)]}"#,
            "2 <image> markers for 1 picture"),
    ]

    @Test(arguments: cases) func messageNamesLineReasonAndFix(_ item: Case) throws {
        let scratch = try Scratch()
        let good = "{\"conversations\": [\(Self.human), \(Self.gpt)]}"
        let path = try scratch.write("data.jsonl", "\(good)\n\n\(item.record)\n\(good)\n")
        let dataset = try InstructionDataset(path)
        #expect(dataset.count == 3)
        let error = #expect(throws: RecordError.self) { try dataset.record(at: 1) }
        #expect(error?.problem.hasPrefix("\(path):3: ") == true, "\(error?.problem ?? "")")
        #expect(error?.problem.contains(item.reason) == true, "\(error?.problem ?? "")")
        #expect(error?.fix?.isEmpty == false)
        // Its neighbours are untouched.
        #expect(try dataset.record(at: 0).id == "0")
        #expect(try dataset.record(at: 2).id == "2")
    }

    @Test(arguments: ["", "  \n\n", "[]", " [ ]", "[1, 2", "[1 2]", "[1,]", "[1] 2", "[\"abc]", "[{]"])
    func fileThatHoldsNoListIsRefusedWithItsName(text: String) throws {
        let scratch = try Scratch()
        let path = try scratch.write("data.json", text)
        let error = problem {
            let dataset = try InstructionDataset(path)
            for position in 0..<dataset.count { _ = try dataset.record(at: position) }
        }
        #expect(error?.problem.contains(path) == true)
    }

    @Test func missingFileIsNamed() {
        let error = problem { _ = try InstructionDataset("/nowhere/data.jsonl") }
        #expect(error?.problem.contains("/nowhere/data.jsonl") == true)
    }

    struct RepairCase: Sendable {
        var record: String
        var repair: Repair
        var turns: [String]
    }

    static let repairs: [RepairCase] = [
        .init(record: llava("\(gpt), \(human), \(gpt)"), repair: .droppedLeadingAnswer, turns: ["Q", "A"]),
        .init(record: llava("\(human), \(human), \(gpt)"), repair: .joinedTurns, turns: ["Q\nQ", "A"]),
        .init(record: llava("\(human), \(gpt), \(gpt)"), repair: .joinedTurns, turns: ["Q", "A\nA"]),
        .init(record: llava("\(human), \(gpt), \(human)"), repair: .droppedTrailingQuestion, turns: ["Q", "A"]),
        .init(
            record: llava(
                #"{"from": "human", "value": "<image>\nE"}, {"from": "gpt", "value": ""}, \#(human), \#(gpt)"#,
                #""image": "a.png", "#),
            repair: .droppedEmptyAnswer, turns: ["<image>\nQ", "A"]),
        .init(
            record: llava(human + "," + gpt + #", {"from": "system", "value": "s"}"#), repair: .droppedLateSystemTurn,
            turns: ["Q", "A"]),
        .init(
            record: llava(#"{"from": "human", "value": "<image> Q"}, "# + gpt, #""image": ["a.png", "b.png"], "#),
            repair: .addedMarkers, turns: ["<image>\n<image> Q", "A"]),
        .init(
            record: llava(#"{"from": "human", "value": "<image>\n<image>\nQ"}, "# + gpt, #""image": "a.png", "#),
            repair: .removedMarkers, turns: ["<image>\nQ", "A"]),
        .init(
            record: llava(human + #", {"from": "gpt", "value": "<image> A"}"#), repair: .removedMarkersFromAnswer,
            turns: ["Q", "A"]),
    ]

    @Test(arguments: repairs) func lenientReadingRepairsAndSaysSo(_ item: RepairCase) throws {
        let scratch = try Scratch()
        let path = try scratch.write("data.jsonl", item.record)
        #expect(throws: RecordError.self) { try InstructionDataset(path).record(at: 0) }
        var repairs: [Repair] = []
        let record = try InstructionDataset(path, options: .init(lenient: true)).record(at: 0, repairs: &repairs)
        #expect(record.conversation.turns.map(\.content) == item.turns)
        #expect(repairs == [item.repair])
    }
}
