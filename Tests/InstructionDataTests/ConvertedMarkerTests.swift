import Basics
import InstructionData
import TestSupport
import Testing
import Tokenization

/// `<image>` in a source's own texts: what is written can be read back, whatever the converter.
@Suite struct ConvertedMarkerTests {
    /// The question and answer of each record, read back through the data set's own reader.
    private func convert(
        _ scratch: Scratch, _ text: String, images: Bool = true, lenient: Bool = false,
        _ configure: (inout ConversionRequest) -> Void = { _ in }
    ) throws -> (turns: [[String]], report: ConversionReport) {
        var request = ConversionRequest(input: try scratch.write("t.jsonl", text))
        request.lenient = lenient
        if images { request.columns.image = "i" }
        (request.columns.question, request.columns.answer) = ("q", "a")
        configure(&request)
        var conversion = Conversion(kind: "jsonl", request: request)
        conversion.output = scratch.file("o.jsonl")
        conversion.evaluation = scratch.file("e.jsonl")
        let report = try conversion.run()
        let dataset = try InstructionDataset(scratch.file("o.jsonl"))
        return (try (0..<dataset.count).map { try dataset.record(at: $0).conversation.turns.map(\.content) }, report)
    }

    @Test(arguments: [
        (#"{"i":"1.png","q":"<image>\nWhat?","a":"x"}"#, [["<image>\nWhat?", "x"]]),
        (#"{"i":"1.png","q":"What?\n<image>","a":"x"}"#, [["What?\n<image>", "x"]]),
        (#"{"i":["1.png","2.png"],"q":"Is <image> like <image>?","a":"x"}"#, [["Is <image> like <image>?", "x"]]),
        // Rows about one picture become one conversation, with one place for it.
        (
            #"{"i":"1.png","q":"<image>\nWhat?","a":"x"}"# + "\n" + #"{"i":"1.png","q":"<image>\nAnd?","a":"y"}"#,
            [["<image>\nWhat?", "x", "And?", "y"]]
        ),
    ]) func markersOfPicturesAreTheirPlaces(_ text: String, _ expected: [[String]]) throws {
        let (turns, report) = try convert(try Scratch(), text)
        #expect(turns == expected && report.repairs.isEmpty)
    }

    @Test func questionForAllMayPlaceThePicture() throws {
        let text = #"{"i":"1.png","a":"x"}"# + "\n" + #"{"i":"2.png","a":"y"}"#
        let (turns, _) = try convert(try Scratch(), text) {
            ($0.columns.question, $0.question) = (nil, "<image>\nDescribe.")
        }
        #expect(turns == [["<image>\nDescribe.", "x"], ["<image>\nDescribe.", "y"]])
    }

    @Test(arguments: [
        (#"{"i":"1.png","q":"Say","a":"it shows <image> text"}"#, true, ["<image>\nSay", "it shows  text"]),
        (#"{"i":"1.png","q":"<image> or <image> tag?","a":"x"}"#, true, ["<image>\nor  tag?", "x"]),
        (#"{"q":"What is <image> in SVG?","a":"x"}"#, false, ["What is  in SVG?", "x"]),
    ]) func markersOfNoPictureAreFaults(_ text: String, _ images: Bool, _ expected: [String]) throws {
        let scratch = try Scratch()
        let fault = problem { _ = try self.convert(scratch, text, images: images) }
        #expect(fault?.problem.contains("t.jsonl:1: <image> stands in the text of") == true)
        #expect(fault?.fix?.contains("--lenient") == true && !Files.exists(scratch.file("o.jsonl")))
        let (turns, report) = try convert(scratch, text, images: images, lenient: true)
        #expect(turns == [expected] && report.repairs.values.reduce(0, +) == 1)
        // References and fields are the same text once more.
        #expect(try !Files.readText(scratch.file("e.jsonl")).contains("<image>"))
    }

    @Test func suffixPlacesNoPictures() throws {
        let scratch = try Scratch()
        let fault = problem {
            _ = try self.convert(scratch, #"{"i":"1.png","q":"q","a":"x"}"#) { $0.questionSuffix = "<image>" }
        }
        #expect(fault?.problem.contains("--question-suffix") == true)
    }

    /// Captions come through another converter and the same rule.
    @Test func captionsAreTreatedAlike() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "cap.json",
            #"{"images":[{"id":1,"file_name":"1.jpg"}],"annotations":[{"image_id":1,"caption":"A page with <image>"}]}"#
        )
        var conversion = Conversion(kind: "coco-captions", request: ConversionRequest(input: path))
        conversion.output = scratch.file("o.jsonl")
        #expect(problem { _ = try conversion.run() }?.problem.contains("an answer") == true)
        conversion.request.lenient = true
        _ = try conversion.run()
        #expect(
            try InstructionDataset(scratch.file("o.jsonl")).record(at: 0).conversation.turns[1].content == "A page with"
        )
    }
}
