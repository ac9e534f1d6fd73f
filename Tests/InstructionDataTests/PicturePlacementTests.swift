import Basics
import Foundation
import InstructionData
import TestSupport
import Testing

/// The link beside a data file leads to its pictures as long as a file there names them.
@Suite struct PicturePlacementTests {
    private func source(_ name: String, _ byte: UInt8, _ scratch: Scratch) throws -> String {
        try scratch.write("\(name)/cat/1.png", [byte])
        return scratch.file(name)
    }

    private func convert(
        _ source: String, _ output: String, _ scratch: Scratch, _ configure: (inout Conversion) -> Void = { _ in }
    ) throws {
        var conversion = Conversion(kind: "image-folder", request: ConversionRequest(input: source))
        conversion.output = scratch.file("out/" + output)
        configure(&conversion)
        _ = try conversion.run()
    }

    /// The picture of a data file's first record.
    private func picture(_ output: String, _ scratch: Scratch) throws -> [UInt8] {
        let record = try InstructionDataset(scratch.file("out/" + output)).record(at: 0)
        return try ImageStore().withBytes(of: record.images[0]) { Array($0) }
    }

    @Test func anotherFileOfTheSameStemKeepsItsPictures() throws {
        let scratch = try Scratch()
        let (a, b) = (try source("A", 1, scratch), try source("B", 2, scratch))
        try convert(a, "t.jsonl", scratch)
        try convert(b, "t.json", scratch)
        #expect(try picture("t.jsonl", scratch) == [1] && picture("t.json", scratch) == [2])
        // Once more, the same files: no further link.
        try convert(b, "t.json", scratch)
        try convert(a, "t.jsonl", scratch)
        #expect(try Files.list(scratch.file("out")) == ["t-images", "t-images-2", "t.json", "t.jsonl"])
        #expect(try picture("t.jsonl", scratch) == [1] && picture("t.json", scratch) == [2])
    }

    @Test func aReplacedFileTakesItsLinkAlong() throws {
        let scratch = try Scratch()
        let (a, b) = (try source("A", 1, scratch), try source("B", 2, scratch))
        func both(_ source: String) throws {
            try convert(source, "t.jsonl", scratch) { $0.evaluation = scratch.file("out/q.jsonl") }
        }
        try both(a)
        try both(b)
        #expect(try picture("t.jsonl", scratch) == [2])
        #expect(try Files.list(scratch.file("out")) == ["q.jsonl", "t-images", "t.jsonl"])
        // Its old version under another name, or what was made of it, still leads to its own pictures.
        try Files.rename(scratch.file("out/t.jsonl"), to: scratch.file("out/old.jsonl"))
        try convert(a, "t.jsonl", scratch)
        #expect(try picture("old.jsonl", scratch) == [2] && picture("t.jsonl", scratch) == [1])
    }

    /// Copies do not go through a link into somebody's pictures.
    @Test func copiesLeaveWhatALinkLeadsTo() throws {
        let scratch = try Scratch()
        let (a, b) = (try source("A", 1, scratch), try source("B", 2, scratch))
        try convert(a, "t.jsonl", scratch)
        try convert(b, "t.jsonl", scratch) { $0.copiesImages = true }
        #expect(try picture("t.jsonl", scratch) == [2])
        #expect(try Files.read(scratch.file("A/cat/1.png")) == [1])
        // Nor into the copies of another file.
        try convert(a, "t.json", scratch) { $0.copiesImages = true }
        #expect(try picture("t.jsonl", scratch) == [2] && picture("t.json", scratch) == [1])
    }
}
