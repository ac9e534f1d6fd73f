import Basics
import InstructionData
import TestSupport
import Testing

/// Tar archives, against ones that the system's `tar` and `gzip` wrote.
@Suite struct TarReaderTests {
    private func content(of reader: TarReader, _ name: String) throws -> [UInt8] {
        try reader.withBytes(named: name) { Array($0) }
    }

    @Test(arguments: ["--format=ustar", "--format=pax", "--format=gnu", "--format=ustar -z", "--format=gnu -z"])
    func membersHaveTheirBytes(options: String) throws {
        let scratch = try Scratch()
        let long = (0..<4).map { String(repeating: "folder\($0)", count: 6) }.joined(separator: "/") + "/x.bin"
        let files: [(String, [UInt8])] = [
            ("a.txt", Array("hello".utf8)), ("d/empty", []), ("d/block", [UInt8](repeating: 7, count: 512)),
            (long, [UInt8]((0..<3000).map { UInt8($0 % 251) })), ("ünï ☂.png", [1, 2, 3]),
        ]
        for (name, bytes) in files { try scratch.write("in/" + name, bytes) }
        try shell("ln -s a.txt in/link && tar -C in -c \(options) -f out.tar .", in: scratch.path)
        let reader = try TarReader(scratch.file("out.tar"))
        #expect(reader.entries.map(\.name).sorted() == files.map(\.0).sorted())
        for (name, bytes) in files { #expect(try content(of: reader, name) == bytes) }
        #expect(try content(of: reader, "./a.txt") == Array("hello".utf8))
    }

    @Test func veryLongNamesAreRead() throws {
        let scratch = try Scratch()
        let long = (0..<6).map { String(repeating: "n\($0)", count: 60) }.joined(separator: "/")
        try scratch.write("in/" + long, [9])
        for format in ["pax", "gnu"] {
            try shell("tar -C in -c --format=\(format) -f \(format).tar .", in: scratch.path)
            #expect(try content(of: TarReader(scratch.file("\(format).tar")), long) == [9])
        }
    }

    @Test func missingMemberIsNamedWithTheNearest() throws {
        let scratch = try Scratch()
        try scratch.write("in/cat.png", [1])
        try shell("tar -C in -cf out.tar cat.png", in: scratch.path)
        let reader = try TarReader(scratch.file("out.tar"))
        let error = #expect(throws: UserError.self) { try content(of: reader, "cta.png") }
        #expect(error?.problem == "\(reader.path) has no member \"cta.png\"")
        #expect(error?.fix == "write \"cat.png\"")
    }

    @Test func damagedArchivesAreRefused() throws {
        let scratch = try Scratch()
        try scratch.write("in/a", [UInt8](repeating: 1, count: 2000))
        try shell("tar -C in -cf ok.tar a && tar -C in -czf ok.tgz a", in: scratch.path)
        let good = try Files.read(scratch.file("ok.tar"))
        let zipped = try Files.read(scratch.file("ok.tgz"))
        var wrongSum = good
        wrongSum[0] ^= 1
        var wrongSize = good
        wrongSize[124] = UInt8(ascii: "z")
        var wrongData = zipped
        wrongData[zipped.count / 2] ^= 0xFF
        let bad: [[UInt8]] = [
            [], [1, 2, 3], Array(good.prefix(700)), Array(good.prefix(1024)), wrongSum, wrongSize,
            Array(zipped.prefix(zipped.count / 2)), wrongData, [0x1F, 0x8B], [UInt8](repeating: 65, count: 5000),
        ]
        for (number, bytes) in bad.enumerated() {
            let path = try scratch.write("bad\(number).tar", bytes)
            let error = problem { _ = try TarReader(path) }
            #expect(error?.problem.contains(path) == true)
        }
    }

    @Test func imageStoreReadsFilesAndMembers() throws {
        let scratch = try Scratch()
        try scratch.write("in/x/a.bin", [5, 6])
        try shell("tar -C in -cf s.tar x", in: scratch.path)
        let store = ImageStore()
        let member = ImageReference("s.tar#x/a.bin").resolved(under: scratch.path)
        #expect(try store.withBytes(of: member) { Array($0) } == [5, 6])
        #expect(try store.withBytes(of: .file(scratch.file("in/x/a.bin"))) { Array($0) } == [5, 6])
        let error = problem {
            _ = try store.withBytes(of: .file(scratch.file("none.png"))) { $0.count }
        }
        #expect(error?.problem.contains("none.png") == true)
    }
}
