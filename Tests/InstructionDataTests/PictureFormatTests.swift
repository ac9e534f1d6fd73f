import Basics
import Foundation
import InstructionData
import TestSupport
import Testing

/// Pictures that are found by their names and not decoded are told, never passed over.
@Suite struct PictureFormatTests {
    private func conversion(_ kind: String, _ input: String, _ scratch: Scratch) -> Conversion {
        var conversion = Conversion(kind: kind, request: ConversionRequest(input: input))
        conversion.output = scratch.file("out/o.jsonl")
        return conversion
    }

    /// A sample of a shard keeps its text only with its picture: .webp and others, and links, are faults of the sample.
    @Test(arguments: ["webp", "GIF", "bmp", "tif", "img", "link"]) func samplesOfOtherFormats(_ ending: String) throws {
        let scratch = try Scratch()
        let name = ending == "link" ? "001.jpg" : "001.\(ending)"
        try scratch.write("w/000.jpg", [1])
        try scratch.write("w/000.txt", "A cat.")
        try scratch.write("w/001.txt", "A dog.")
        if ending == "link" {
            try shell("ln -s ../000.jpg '\(scratch.file("w/001.jpg"))'")
        } else {
            try scratch.write("w/" + name, [2])
        }
        try shell("cd '\(scratch.file("w"))' && tar cf ../x.tar *")
        var conversion = conversion("webdataset", scratch.file("x.tar"), scratch)
        let fault = problem { _ = try conversion.run() }
        #expect(fault?.problem.contains("x.tar#\(name)") == true && fault?.fix?.contains("--lenient") == true)
        #expect(fault?.problem.contains(ending == "link" ? "link" : "only PNG and JPEG are decoded") == true)
        conversion.request.lenient = true
        let report = try conversion.run()
        #expect(report.records == 1 && report.leftOut == 1 && report.pictures == 1)
        #expect(try Files.readText(scratch.file("out/o.repairs.jsonl")).contains(name))
    }

    @Test func foldersSayWhichPicturesTheyLeaveOut() throws {
        let scratch = try Scratch()
        for name in ["cat/1.png", "cat/2.webp", "dog/3.gif", "dog/4.jfif", "dog/notes.txt"] {
            try scratch.write("p/" + name, [1])
        }
        var conversion = conversion("image-folder", scratch.file("p"), scratch)
        let fault = problem { _ = try conversion.run() }
        #expect(fault?.problem.contains("cat/2.webp") == true && fault?.fix?.contains("--lenient") == true)
        conversion.request.lenient = true
        let report = try conversion.run()
        #expect(report.records == 2 && report.leftOut == 2)
        // A link that leads out of an archive holds no picture.
        try shell(
            "cd '\(scratch.file("p"))' && rm cat/2.webp dog/3.gif && ln -s ../../1.png cat/5.png && tar cf ../p.tar .")
        conversion.request.input = scratch.file("p.tar")
        let fromArchive = try conversion.run()
        #expect(fromArchive.records == 2 && fromArchive.leftOut == 1)
    }

    private static let hasPython =
        ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/python3")
        } == true

    /// `Scripts/parquet-to-shards.py` names pictures by their bytes, and writes JSON that other programs read. Its reader of
    /// Parquet is not needed for that.
    @Test(.enabled(if: hasPython)) func picturesFromParquetKeepTheirFormat() throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Scripts/parquet-to-shards.py").path
        let program = """
            import json, runpy, sys, types
            sys.modules["pyarrow"] = types.ModuleType("pyarrow")
            sys.modules["pyarrow.parquet"] = sys.modules["pyarrow"].parquet = types.ModuleType("pyarrow.parquet")
            part = runpy.run_path(sys.argv[1])
            for data in [b"RIFF1234WEBPxxxx", b"GIF89a", b"BMxx", b"II*\\0", b"\\x89PNG", b"\\xff\\xd8", b"none"]:
                print(part["ending"](data))
            print(json.dumps(part["plain"]({"a": [float("nan"), 1.5], "b": float("inf")})))
            try: part["pictures"]([{"bytes": None, "path": "x.png"}])
            except ValueError as fault: print(fault)
            """
        let scratch = try Scratch()
        let path = try scratch.write("t.py", program)
        #expect(
            try shell("python3 '\(path)' '\(script)'").split(separator: "\n") == [
                "webp", "gif", "bmp", "tif", "png", "jpg", "img", #"{"a": [null, 1.5], "b": null}"#,
                #"the picture "x.png" is only named, its bytes are not in the file"#,
            ])
    }
}
