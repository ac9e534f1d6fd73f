import Basics
import InstructionData
import TestSupport
import Testing
import Tokenization

/// Shards out and in again, and shards as other tools write them.
@Suite struct WebDatasetTests {
    private func dataset(_ scratch: Scratch, _ count: Int) throws -> InstructionDataset {
        var lines: [String] = []
        for index in 0..<count {
            let long = String(repeating: "long/", count: index == 3 ? 30 : 1)
            try scratch.write("d/\(long)\(index).png", Array("picture \(index)".utf8))
            let images = index == 1 ? #"["long/0.png","long/1.png"]"# : #""\#(long)\#(index).png""#
            let markers = index == 1 ? "<image><image>" : "<image>"
            lines.append(
                #"{"id":"r\#(index)","image":\#(images),"conversations":[{"from":"human","value":"\#(markers)\nq\#(index)"},"#
                    + #"{"from":"gpt","value":"a\#(index)"}],"source":"s"}"#)
        }
        return try InstructionDataset(try scratch.write("d/data.jsonl", lines.joined(separator: "\n")))
    }

    private func readBack(_ input: String, _ scratch: Scratch) throws -> [InstructionRecord] {
        var conversion = Conversion(kind: "webdataset", request: ConversionRequest(input: input))
        conversion.output = scratch.file("back/back.jsonl")
        _ = try conversion.run()
        let dataset = try InstructionDataset(scratch.file("back/back.jsonl"))
        return try (0..<dataset.count).map { try dataset.record(at: $0) }
    }

    @Test(arguments: [false, true]) func recordsComeBackFromTheirShards(_ isCompressed: Bool) throws {
        let scratch = try Scratch()
        let dataset = try dataset(scratch, 7)
        var writing = ShardWriting()
        writing.perShard = 3
        writing.isCompressed = isCompressed
        let result = try writing.run(dataset, to: scratch.file("shards/train"), workers: 2)
        #expect(result.written == 3 && result.kept == 0)
        let suffix = isCompressed ? ".tar.gz" : ".tar"
        // tar itself lists what was written.
        let listed = try shell("tar tf '\(scratch.file("shards/train-000000" + suffix))'").split(separator: "\n")
        #expect(
            listed == [
                "000000000.json", "000000000.png", "000000001.json", "000000001.0.png", "000000001.1.png",
                "000000002.json", "000000002.png",
            ])
        let pattern = scratch.file("shards/../shards/train-{000000..000002}\(suffix)")
        let read = try readBack(pattern, scratch)
        #expect(read.map(\.id) == (0..<7).map { "r\($0)" })
        for (index, record) in read.enumerated() {
            #expect(record.conversation.turns[1].content == "a\(index)" && record.metadata["source"] == "s")
            let bytes = try record.images.map { try ImageStore().withBytes(of: $0) { Array($0) } }
            let expected = index == 1 ? ["picture 0", "picture 1"] : ["picture \(index)"]
            #expect(bytes == expected.map { Array($0.utf8) })
        }
        // A second run finds all of them there; one that is missing is made again.
        try Files.remove(scratch.file("shards/train-000001" + suffix))
        let again = try writing.run(dataset, to: scratch.file("shards/train"))
        #expect(again.written == 1 && again.kept == 2)
    }

    /// Shards of other records, or of other sizes, are not taken for this run's.
    @Test func shardsOfOtherRecordsAreRefused() throws {
        let scratch = try Scratch()
        let dataset = try dataset(scratch, 7)
        var writing = ShardWriting()
        writing.perShard = 3
        let prefix = scratch.file("shards/p")
        #expect(try writing.run(dataset, to: prefix).written == 3)
        func refused(_ dataset: InstructionDataset, _ writing: ShardWriting) -> Bool {
            problem { _ = try writing.run(dataset, to: prefix) }?.problem.contains("of other records") == true
        }
        var other = writing
        other.perShard = 2
        #expect(refused(dataset, other))
        other = writing
        other.isCompressed = true
        #expect(refused(dataset, other))
        let changed = try Files.readText(scratch.file("d/data.jsonl")).replacing("\"a0\"", with: "\"b0\"")
        #expect(refused(try InstructionDataset(try scratch.write("d/other.jsonl", changed)), writing))
        // Three shards are too many for four records, though the first is the same.
        #expect(try refused(self.dataset(scratch, 4), writing))
        #expect(try writing.run(self.dataset(scratch, 7), to: prefix).kept == 3)
    }

    @Test func partsTogetherAreTheWhole() throws {
        let scratch = try Scratch()
        let dataset = try dataset(scratch, 8)
        var writing = ShardWriting()
        writing.perShard = 2
        for index in 1...3 {
            writing.shard = try Conversion.Shard("\(index)/3")
            _ = try writing.run(dataset, to: scratch.file("parts/p"))
        }
        writing.shard = nil
        _ = try writing.run(dataset, to: scratch.file("whole/p"))
        // No name begins with a dash, which other tools take for an option.
        _ = try writing.run(dataset, to: scratch.file("alone/"))
        #expect(try Files.list(scratch.file("alone")) == (0..<4).map { "00000\($0).tar" })
        for name in try Files.list(scratch.file("whole")) {
            #expect(try Files.read(scratch.file("parts/" + name)) == Files.read(scratch.file("whole/" + name)))
        }
    }

    @Test func samplesOfOtherToolsAreRead() throws {
        let scratch = try Scratch()
        try scratch.write("w/000.jpg", [1])
        try scratch.write("w/000.txt", " A cat. \n")
        try scratch.write("w/001.png", [2])
        try scratch.write("w/001.json", #"{"question": "Red?", "answers": [{"answer": "no"}, "yes", "no"]}"#)
        try scratch.write("w/sub/002.jpeg", [3])
        try scratch.write("w/sub/002.json", #"{"caption": "A dog."}"#)
        try scratch.write("w/003.jpg", [4])
        try shell(
            "cd '\(scratch.file("w"))' && tar cf ../x.tar 000.jpg 000.txt 001.json 001.png sub/002.jpeg sub/002.json")
        let read = try readBack(scratch.file("x.tar"), scratch)
        #expect(read.map { $0.conversation.turns[1].content } == ["A cat.", "no", "A dog."])
        #expect(try read.map { try ImageStore().withBytes(of: $0.images[0]) { Array($0) } } == [[1], [2], [3]])
        try shell("cd '\(scratch.file("w"))' && tar cf ../y.tar 003.jpg")
        let fault = problem { _ = try self.readBack(scratch.file("y.tar"), scratch) }
        #expect(fault?.problem.contains("y.tar#003") == true && fault?.fix != nil)
    }
}
