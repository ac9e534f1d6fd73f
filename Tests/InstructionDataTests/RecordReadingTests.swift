import Basics
import InstructionData
import TestSupport
import Testing
import Tokenization

/// What well-formed records of both forms are read as.
@Suite struct RecordReadingTests {
    private func records(_ text: String, lenient: Bool = false) throws -> [InstructionRecord] {
        let scratch = try Scratch()
        let path = try scratch.write("data.jsonl", text)
        let dataset = try InstructionDataset(path, options: .init(imageFolder: "pictures", lenient: lenient))
        return try (0..<dataset.count).map { try dataset.record(at: $0) }
    }

    @Test func llavaRecordKeepsItsPartsAndMetadata() throws {
        let record = try records(
            """
            {"id": "7", "image": "a/b.jpg", "source": "x", "conversations": [{"from": "human", "value": "<image>\\nWhat?"}, {"from": "gpt", "value": "A cat."}]}
            """)[0]
        #expect(record.id == "7")
        #expect(record.images == [.file("pictures/a/b.jpg")])
        #expect(
            record.conversation.turns == [
                Turn(role: .user, content: "<image>\nWhat?"), Turn(role: .assistant, content: "A cat."),
            ])
        #expect(record.metadata == ["source": "x"])
    }

    @Test func pictureWithoutMarkerGetsOneBeforeTheFirstQuestion() throws {
        let record = try records(
            """
            {"image": ["a.png", "b.png"], "conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Which?"}, {"from": "gpt", "value": "Both."}]}
            """)[0]
        #expect(record.conversation.turns[1].content == "<image>\n<image>\nWhich?")
        #expect(record.id == "0")
    }

    @Test func openAIPartsBecomeMarkersInPlace() throws {
        let record = try records(
            """
            {"id": 12, "messages": [{"role": "user", "content": [{"type": "text", "text": "First"}, {"type": "image", "path": "a.png"}, {"type": "image_url", "image_url": {"url": "file://b.png"}}, {"type": "image"}]}, {"role": "assistant", "content": "ok"}], "images": ["c.png"]}
            """)[0]
        #expect(record.id == "12")
        #expect(record.images.map(\.description) == ["pictures/a.png", "pictures/b.png", "pictures/c.png"])
        #expect(record.conversation.turns[0].content == "First\n<image>\n<image>\n<image>")
    }

    @Test func textOnlyRecordHasNoPictures() throws {
        let record = try records(
            #"{"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}"#)[0]
        #expect(record.images.isEmpty)
        #expect(record.conversation.imageCount == record.images.count)
    }

    @Test(arguments: [
        ("a.tar#x/1.png", ImageReference.member(archive: "a.tar", name: "x/1.png")),
        ("s/b.tar.gz#1.png", .member(archive: "s/b.tar.gz", name: "1.png")),
        ("b.tgz#1", .member(archive: "b.tgz", name: "1")),
        ("c#1.png", .file("c#1.png")), ("a.tar#", .file("a.tar#")), ("a.tar", .file("a.tar")),
    ])
    func imageReferenceHasATextualForm(text: String, reference: ImageReference) {
        #expect(ImageReference(text) == reference)
        #expect(reference.description == text)
    }

    @Test func arrayAndLinesGiveTheSameRecords() throws {
        let one =
            #"{"conversations": [{"from": "human", "value": "a \"quoted\" [x], {y}"}, {"from": "gpt", "value": "\\"}]}"#
        let lines = try records("\n\(one)\r\n\n  \(one)  \n\(one)")
        let array = try records("\u{FEFF} [\(one) , \(one),\n\(one)\n]\n")
        #expect(lines.count == 3)
        #expect(lines.map(\.conversation) == array.map(\.conversation))
    }

    @Test func llavaFormRoundTrips() throws {
        let text =
            #"{"id":"q","image":"pictures/a.png","conversations":[{"from":"system","value":"s"},{"from":"human","value":"<image>\nx"},{"from":"gpt","value":"y"}],"extra":[1,2]}"#
        let record = try records(text.replacing("pictures/a.png", with: "a.png"))[0]
        #expect(record.line == text)
    }

    @Test func indexOverManyPiecesEqualsOneLineAtATime() throws {
        // Above 16 MiB the file is indexed in pieces, whose borders must fall on line ends.
        let scratch = try Scratch()
        var text = ""
        var expected: [String] = []
        let padding = String(repeating: "x", count: 4000)
        for number in 0..<9000 {
            expected.append("r\(number)")
            text +=
                #"{"id":"r\#(number)","conversations":[{"from":"human","value":"\#(padding)"},{"from":"gpt","value":"y"}]}"#
                + "\n"
        }
        let dataset = try InstructionDataset(try scratch.write("big.jsonl", text))
        #expect(dataset.count == 9000)
        for number in stride(from: 0, to: 9000, by: 7) {
            #expect(try dataset.record(at: number).id == expected[number])
        }
        #expect(dataset.line(at: 8999) == 9000)
    }

    @Test func digestIsTheFilesHashWithTheOptions() throws {
        let scratch = try Scratch()
        let text = #"{"conversations":[{"from":"human","value":"x"},{"from":"gpt","value":"y"}]}"#
        let path = try scratch.write("a.jsonl", text)
        #expect(try InstructionDataset(path).digest() == SHA256.hex(of: text + "lenient=false outside=false"))
        #expect(
            try InstructionDataset(path, options: .init(lenient: true)).digest() != InstructionDataset(path).digest())
    }
}
