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
        #expect(reader.entries.map(\.name).sorted() == (files.map(\.0) + ["link"]).sorted())
        for (name, bytes) in files + [("link", Array("hello".utf8))] { #expect(try content(of: reader, name) == bytes) }
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

    /// A link is the file that it leads to; one that leads out of the archive, to a folder or in a circle can't be read.
    @Test(arguments: ["ustar", "pax", "gnu"]) func linksAreFollowedWithinTheArchive(format: String) throws {
        let scratch = try Scratch()
        let long = String(repeating: "l", count: 95) + "/" + String(repeating: "n", count: 95)
        try scratch.write("in/a/1.png", [1])
        try scratch.write("in/b/" + long, [2])
        try shell(
            """
            cd in && ln a/1.png b/hard.png && ln -s ../a/1.png b/soft.png && ln -s soft.png b/twice.png
            ln -s ../b/\(format == "ustar" ? "hard.png" : long) a/long.png; ln -s a folder; ln -s none.png gone.png
            ln -s ../in/a/1.png out.png; ln -s /etc/hostname root.png; ln -s round.png around.png; ln -s around.png round.png
            touch ._a.png; tar --sort=name -cf ../x.tar --format=\(format) * ._a.png
            """, in: scratch.path)
        let reader = try TarReader(scratch.file("x.tar"))
        for name in ["a/1.png", "b/hard.png", "b/soft.png", "b/twice.png"] {
            #expect(try content(of: reader, name) == [1], "\(name)")
        }
        #expect(try content(of: reader, "a/long.png") == [format == "ustar" ? 1 : 2])
        #expect(reader.entries.count == 6 && Set(reader.names) == Set(reader.entries.map(\.name)))
        #expect(
            reader.unreadable.sorted() == ["around.png", "folder", "gone.png", "out.png", "root.png", "round.png"])
        let error = problem { _ = try content(of: reader, "gone.png") }
        #expect(error?.problem.contains("x.tar#gone.png is a link") == true)
    }

    /// A sparse member's bytes do not lie in one piece; what follows it is read.
    @Test(arguments: ["gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax --sparse-version=1.0"])
    func sparseMembersAreTold(format: String) throws {
        let scratch = try Scratch()
        try scratch.write("in/z.png", [1])
        try shell(
            """
            cd in && for at in $(seq 1 40); do printf x | dd of=s.png bs=4096 seek=$((at * 2)) conv=notrunc status=none; done
            touch ._s.png; tar -cf ../x.tar -S --hole-detection=raw --format=\(format) s.png ._s.png z.png
            """, in: scratch.path)
        let reader = try TarReader(scratch.file("x.tar"))
        #expect(reader.entries.map(\.name) == ["z.png"] && reader.unreadable == ["s.png"])
        #expect(try content(of: reader, "z.png") == [1])
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
