import Basics
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite("Files")
struct FilesTests {
    @Test func writeAndRead() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "a.txt")
            try Files.write("first", to: path)
            try Files.write("second é", to: path)
            #expect(try Files.readText(path) == "second é")
            #expect(try Files.size(path) == 9)
            #expect(try Files.list(folder) == ["a.txt"])
            try Files.write([], to: path)
            #expect(try Files.read(path) == [])
        }
    }

    /// Editors on Windows end lines with two bytes, which are one character to Swift.
    @Test func linesKeepTheirNumbers() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "lines.txt")
            try Files.write("\u{FEFF}one\r\n\r\n  \ntwo é\n\nthree\rfour\r\ntorn", to: path)
            let whole = [
                TextLine(number: 1, text: "one"), TextLine(number: 4, text: "two é"),
                TextLine(number: 6, text: "three\rfour"),
            ]
            #expect(try Files.readLines(path) == whole + [TextLine(number: 7, text: "torn")])
            #expect(try Files.readLines(path, onlyEnded: true) == whole)
            try Files.write("", to: path)
            #expect(try Files.readLines(path).isEmpty)
            #expect(try Files.readLines(path, onlyEnded: true).isEmpty)
        }
    }

    @Test func missingAndWrongPlaces() throws {
        try withTemporaryFolder { folder in
            let error = try #require(throws: FileError.self) { try Files.read(folder + "/none") }
            #expect(error.problem == "cannot read \(folder)/none: No such file or directory")
            #expect(error.fix == "check the path; nothing is there")
            #expect(throws: FileError("read", folder, code: EISDIR)) { try Files.read(folder) }
            #expect(throws: FileError("write", folder, code: EISDIR)) { try Files.write("x", to: folder) }
            #expect(throws: FileError("write", folder + "/no/x", code: ENOENT)) {
                try Files.write("x", to: folder + "/no/x")
            }
            #expect(throws: FileError("list the folder", folder + "/no", code: ENOENT)) {
                try Files.list(folder + "/no")
            }
            try Files.write("x", to: folder + "/file")
            #expect(throws: FileError("create the folder", folder + "/file/sub", code: ENOTDIR)) {
                try Files.createDirectory(folder + "/file/sub")
            }
            #expect(throws: UserError.self) { try Files.read(folder + "/file", limit: 0) }
        }
    }

    @Test func adviceNamesWhatIsThere() throws {
        try withTemporaryFolder { folder in
            let error = try #require(throws: FileError.self) { try AppendFile(folder + "/no/such/x") }
            #expect(error.fix == "check the path, or make the folder with: mkdir -p '\(folder)/no/such'")
            #expect(FileError("write", folder + "/x", code: EACCES).fix?.hasSuffix("'\(folder)'") == true)
        }
    }

    /// A link to the folder above, and two that lead to each other: everything is found once by every way that does not turn back.
    @Test func aTreeEndsWhereLinksLeadBack() throws {
        try withTemporaryFolder { folder in
            for name in ["a", "b/.hidden", "b/c"] { try Files.createDirectory(Paths.join(folder, name)) }
            for name in ["a/1", "b/c/2", "b/.hidden/3", ".4", "5 \u{e9}"] {
                try Files.write("", to: Paths.join(folder, name))
            }
            for (link, target) in [("a/up", ".."), ("a/b", "../b"), ("b/a", "../a"), ("b/none", "nowhere")] {
                #expect(symlink(target, Paths.join(folder, link)) == 0)
            }
            #expect(
                try Files.tree(folder) == [
                    "5 \u{e9}", "a/1", "a/b/c/2", "a/b/none", "b/a/1", "b/c/2", "b/none",
                ])
            #expect(try Files.tree(Paths.join(folder, "a/up/b")).first == "a/1")
            #expect(throws: FileError.self) { try Files.tree(Paths.join(folder, "5")) }
        }
    }

    /// `/dev/full` answers every write with "no space left", as a full disk does.
    @Test(.enabled(if: Files.exists("/dev/full"))) func fullDisk() throws {
        let error = try #require(throws: FileError.self) { try Files.write("x", to: "/dev/full") }
        #expect(error.problem == "cannot write /dev/full: No space left on device")
        #expect(error.fix == "free some space on that disk, or choose another place; see: df -h '/dev'")
        let cleared = FileError("write", "/dev/.partial-run/final/model", code: ENOSPC)
        #expect(cleared.fix?.hasSuffix("df -h '/dev'") == true)
        let file = try AppendFile("/dev/full")
        #expect(throws: FileError("write", "/dev/full", code: ENOSPC)) { try file.appendLine("x") }
    }

    @Test func textMustBeUTF8() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "latin1.txt")
            try Files.write([0x61, 0x0A, 0x62, 0xE9, 0x0A], to: path)
            let error = try #require(throws: UserError.self) { try Files.readText(path) }
            #expect(error.problem == "\(path):2: byte 0xe9 at offset 3 is not UTF-8 text")
        }
    }

    /// Text of 2 or 4 bytes a character is told by its first bytes; without a byte order mark it would pass for UTF-8.
    @Test func wideTextIsTold() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "wide.txt")
            let forms: [(bytes: [UInt8], name: String)] = [
                ([0xFF, 0xFE, 0x61, 0], "UTF-16"), ([0xFE, 0xFF, 0, 0x61], "UTF-16"),
                ([0x61, 0, 0x0A, 0], "UTF-16LE"), ([0, 0x61, 0, 0x0A], "UTF-16BE"),
                ([0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0], "UTF-32"),
            ]
            for form in forms {
                try Files.write(form.bytes, to: path)
                let reads: [() throws -> Void] = [{ _ = try Files.readLines(path) }, { _ = try JSON.read(path) }]
                for read in reads {
                    let error = try #require(throws: UserError.self) { try read() }
                    #expect(error.problem == "\(path) is \(form.name) text, and UTF-8 is read")
                    #expect(error.fix?.contains("iconv -f \(form.name) -t UTF-8") == true)
                }
            }
            try Files.write([0xEF, 0xBB, 0xBF, 0xC3, 0xA9], to: path)
            #expect(try Files.readText(path) == "é")
        }
    }

    /// The system would end such a path early, and open another file.
    @Test func pathsWithNullCharactersAreRefused() throws {
        try withTemporaryFolder { folder in
            try Files.write("a", to: folder + "/a")
            let error = try #require(throws: FileError.self) { try Files.read(folder + "/a\0b") }
            #expect(error.fix == "a path holds no null character; write one path a line")
        }
    }

    /// What comes through a pipe has no folder of its own, and cannot be mapped.
    @Test func pipesAreNoFiles() throws {
        try withTemporaryFolder { folder in
            let pipe = folder + "/pipe"
            #expect(mkfifo(pipe, 0o600) == 0)
            #expect(Files.folder(of: pipe) == "." && Files.folder(of: folder + "/a") == folder)
            #expect(["/dev/stdin", "/dev/fd/3", "/proc/self/fd/3"].allSatisfy { Files.folder(of: $0) == "." })
            #expect(Files.folder(of: "/dev/shm/set/a.jsonl") == "/dev/shm/set")
            // Held open, so that opening it does not wait.
            let descriptor = open(pipe, O_RDWR)
            defer { close(descriptor) }
            let error = try #require(throws: FileError.self) { _ = try MappedFile(pipe) }
            #expect(error.fix == "that is a device or a pipe; name a file")
        }
    }

    @Test func oneFileIsNotWrittenTwice() throws {
        try withTemporaryFolder { folder in
            try Files.write("", to: folder + "/a")
            try Files.createDirectory(folder + "/in")
            #expect(symlink(folder, folder + "/in/back") == 0 && symlink(folder + "/a", folder + "/b") == 0)
            try Files.requireApart([folder + "/a", nil, folder + "/new", folder + "/in/new"])
            try Files.requireApart(["/dev/null", "/dev/null"])
            for (one, other) in [("a", "a"), ("a", "b"), ("a", "in/back/a"), ("new", "in/back/new"), ("new", "./new")] {
                #expect(throws: UserError.self) {
                    try Files.requireApart([folder + "/" + one, nil, folder + "/" + other])
                }
            }
        }
    }

    /// Reading them would end where the memory does.
    @Test(.enabled(if: Files.exists("/dev/zero"))) func endlessDevicesAreNoFiles() throws {
        let error = try #require(throws: FileError.self) { _ = try Files.read("/dev/zero", limit: .max) }
        #expect(error.fix == "that is a device or a pipe; name a file")
        #expect(throws: FileError.self) { try Files.withBytes(of: "/dev/zero") { _ in } }
        #expect(throws: FileError.self) { _ = try Files.readLines("/dev/zero") }
        #expect(try Files.read("/dev/null").isEmpty)
    }

    /// A name that is no text is an error, or told of and left out; the others are there.
    @Test func namesThatAreNoTextAreSpelled() throws {
        try withTemporaryFolder { folder in
            try Files.createDirectory(folder + "/in")
            try Files.write("", to: folder + "/in/b")
            let odd = Array((folder + "/in/caf").utf8) + [0xE9, 0x61, 0xC3, 0]
            let descriptor = odd.withUnsafeBytes {
                open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o600)
            }
            // Some file systems take no such names.
            guard descriptor >= 0 else { return }
            close(descriptor)
            let error = try #require(throws: UserError.self) { try Files.tree(folder) }
            #expect(error.problem == #"\#(folder)/in/caf\xE9a\xC3: the name of this file is not UTF-8"#)
            var told: [String] = []
            #expect(try Files.tree(folder) { path, _ in told.append(path) } == ["in/b"])
            #expect(told == [#"in/caf\xE9a\xC3"#])
            #expect(try Files.expandGlob(folder + "/in/*") { told.append($0) } == [folder + "/in/b"])
            #expect(told.last == #"\#(folder)/in/caf\xE9a\xC3"#)
            #expect(unlink(odd.map { CChar(bitPattern: $0) }) == 0)
        }
    }

    @Test func linksAreFollowedWhenWritingAndNotWhenRemoving() throws {
        try withTemporaryFolder { folder in
            try Files.createDirectory(folder + "/real/deep")
            try Files.write("kept", to: folder + "/real/file")
            symlink(folder + "/real/file", folder + "/link")
            symlink(folder + "/real", folder + "/dirlink")
            try Files.write("new", to: folder + "/link")
            #expect(try Files.readText(folder + "/real/file") == "new")
            try Files.remove(folder + "/link")
            try Files.remove(folder + "/dirlink")
            try Files.remove(folder + "/never-there")
            #expect(try Files.readText(folder + "/real/file") == "new")
            try Files.remove(folder + "/real")
            #expect(try Files.list(folder) == [])
        }
    }

    @Test func globsAreSorted() throws {
        try withTemporaryFolder { folder in
            for name in ["b.png", "a.png", "c.jpg", "d.txt"] { try Files.write(name, to: Paths.join(folder, name)) }
            #expect(try Files.expandGlob(folder + "/*.{png,jpg}").map(Paths.name) == ["a.png", "b.png", "c.jpg"])
            #expect(try Files.expandGlob(folder + "/d.txt") == [folder + "/d.txt"])
            #expect(try Files.expandGlob(folder + "/*.gif") == [])
        }
    }

    @Test func leftoversOfKilledWritersAreRemoved() throws {
        try withTemporaryFolder { folder in
            try Files.createDirectory(folder + "/.model.partial-99-1")
            try Files.write("x", to: folder + "/.model.partial-99-1/weights")
            try Files.write("x", to: folder + "/.log.partial-5-2")
            try Files.write("x", to: folder + "/.other")
            #expect(try Files.removeLeftovers(in: folder, of: "model") == [".model.partial-99-1"])
            #expect(try Files.list(folder) == [".log.partial-5-2", ".other"])
            // One that a living writer has locked stays.
            let lock = open(folder + "/.log.partial-5-2", O_RDONLY)
            flock(lock, LOCK_EX)
            #expect(try Files.removeLeftovers(in: folder) == [])
            flock(lock, LOCK_UN)
            close(lock)
            #expect(try Files.removeLeftovers(in: folder) == [".log.partial-5-2"])
            #expect(try Files.list(folder) == [".other"])
        }
    }

    @Test(arguments: [
        ("a/b/c.tar.gz", "c.tar.gz", "a/b", "gz", "c.tar"), ("/x", "x", "/", "", "x"), ("x", "x", ".", "", "x"),
        ("a/.hidden", ".hidden", "a", "", ".hidden"), ("a/b/", "b", "a", "", "b"), ("/", "/", "/", "", "/"),
        ("é/ü.png", "ü.png", "é", "png", "ü"),
    ])
    func pathsAreTakenApart(path: String, name: String, parent: String, ending: String, stem: String) {
        #expect(Paths.name(path) == (path == "/" ? "" : name))
        #expect(Paths.parent(path) == parent)
        #expect(Paths.fileExtension(path) == ending)
        #expect(Paths.stem(path) == (path == "/" ? "" : stem))
    }

    @Test func pathsAreJoined() {
        #expect(Paths.join("a", "b", "c") == "a/b/c")
        #expect(Paths.join("a/", "b") == "a/b")
        #expect(Paths.join("a", "/b") == "/b")
        #expect(Paths.join("", "b") == "b")
        #expect(Paths.join("a", "") == "a")
    }
}

@Suite("Folders that appear at once")
struct AtomicDirectoryTests {
    @Test func appearsOnCommitOnly() throws {
        try withTemporaryFolder { folder in
            let target = folder + "/model"
            let new = try AtomicDirectory(target)
            try Files.write("1", to: new.file("weights"))
            #expect(!Files.exists(target))
            try new.commit(manifest: "manifest.json", "{}")
            #expect(try Files.list(target) == ["manifest.json", "weights"])
            #expect(try Files.list(folder) == ["model"])
        }
    }

    @Test func replacesTheOldFolder() throws {
        try withTemporaryFolder { folder in
            let target = folder + "/model"
            try Files.createDirectory(target)
            try Files.write("old", to: target + "/stale")
            let new = try AtomicDirectory(target)
            try Files.write("new", to: new.file("weights"))
            try new.commit()
            #expect(try Files.list(target) == ["weights"])
            #expect(try Files.list(folder) == ["model"])
        }
    }

    @Test func droppedOrKilledLeavesTheOldFolder() throws {
        try withTemporaryFolder { folder in
            let target = folder + "/model"
            try Files.createDirectory(target)
            try Files.write("old", to: target + "/weights")
            func abandon() throws {
                let new = try AtomicDirectory(target)
                try Files.write("half", to: new.file("weights"))
            }
            try abandon()
            #expect(try Files.list(folder) == ["model"])
            try Files.createDirectory(folder + "/.model.partial-77-3")
            try AtomicDirectory(target).commit(manifest: "manifest.json", "{}")
            #expect(try Files.list(folder) == ["model"])
            #expect(try Files.list(target) == ["manifest.json"])
        }
    }
}

@Suite("Files of a folder that appear together")
struct AtomicFilesTests {
    @Test func appearOnCommitOnly() throws {
        try withTemporaryFolder { folder in
            let target = folder + "/plots"
            for content in ["old", "new"] {
                var files = try AtomicFiles(in: target)
                try files.write(content, to: "a")
                try files.write(content, to: "b")
                if content == "old" {
                    #expect(!Files.exists(target))
                } else {
                    #expect(try Files.readText(target + "/a") == "old")
                }
                try files.commit()
                #expect(try ["a", "b"].map { try Files.readText(Paths.join(target, $0)) } == [content, content])
            }
            #expect(try Files.list(folder) == ["plots"] && Files.list(target) == ["a", "b"])
        }
    }

    @Test func droppedLeavesTheOldOnesAndTheirNeighbours() throws {
        try withTemporaryFolder { folder in
            try Files.write("neighbour", to: folder + "/n")
            func abandon(_ target: String) throws {
                var files = try AtomicFiles(in: target)
                try files.write("half", to: "n")
            }
            try abandon(folder)
            try abandon(folder + "/new")
            #expect(try Files.list(folder) == ["n"] && Files.readText(folder + "/n") == "neighbour")
            #expect(throws: FileError.self) { _ = try AtomicFiles(in: folder + "/n") }
        }
    }
}

@Suite("Files written piece by piece")
struct AtomicFileTests {
    @Test func appearsOnCommitOnly() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/weights"
            try Files.write("old", to: path)
            func write(commits: Bool) throws {
                let file = try AtomicFile(path)
                try Array("new ".utf8).withUnsafeBytes { try file.write($0) }
                try Array("text".utf8).withUnsafeBytes { try file.write($0) }
                #expect(try Files.readText(path) == "old")
                if commits { try file.commit() }
            }
            try write(commits: false)
            #expect(try Files.list(folder) == ["weights"])
            try write(commits: true)
            #expect(try Files.list(folder) == ["weights"])
            #expect(try Files.readText(path) == "new text")
            #expect(throws: FileError("write", folder, code: EISDIR)) { _ = try AtomicFile(folder) }
            #expect(throws: FileError("write", folder + "/no/x", code: ENOENT)) { _ = try AtomicFile(folder + "/no/x") }
        }
    }
}

@Suite("Append-only and mapped files")
struct AppendAndMapTests {
    @Test func tornTailIsCut() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/metrics.jsonl"
            try Files.write("{\"step\":1}\n{\"step\":2}\n{\"st", to: path)
            let file = try AppendFile(path)
            #expect(file.trimmedBytes == 4)
            try file.appendLine("{\"step\":3}")
            try file.close()
            try file.close()
            #expect(try Files.readText(path) == "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n")
            try Files.write("{" + String(repeating: "x", count: 9_999), to: path)
            #expect(try AppendFile(path).trimmedBytes == 10_000)
            #expect(try Files.size(path) == 0)
        }
    }

    /// A last line without its end that was never one of these lines is somebody else's, and stays.
    @Test func whatOthersWroteIsNotCut() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/notes"
            for text in ["my notes", "first\nsecond", "{\"a\":1}"] {
                try Files.write(text, to: path)
                #expect(throws: UserError.self) { _ = try AppendFile(path, beginning: "{\"id\":") }
                #expect(try Files.readText(path) == text)
            }
            for torn in ["{\"i", "{\"id\":\"a"] {
                try Files.write("{\"id\":\"a\"}\n" + torn, to: path)
                #expect(try AppendFile(path, beginning: "{\"id\":").trimmedBytes == torn.utf8.count)
            }
        }
    }

    /// A kill may leave half a character behind the last line.
    @Test func aTornCharacterIsNoFault() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/torn.jsonl"
            try Files.write(Array("{}\n{\"a\":\"".utf8) + [0xC3], to: path)
            #expect(try Files.readLines(path, onlyEnded: true) == [TextLine(number: 1, text: "{}")])
            #expect(throws: UserError.self) { try Files.readLines(path) }
        }
    }

    @Test func twoWritersAreRefused() throws {
        try withTemporaryFolder { folder in
            let first = try AppendFile(folder + "/out.jsonl")
            let error = try #require(throws: UserError.self) { try AppendFile(folder + "/out.jsonl") }
            #expect(error.problem == "\(folder)/out.jsonl is being written by another process")
            try first.close()
            _ = try AppendFile(folder + "/out.jsonl")
        }
    }

    /// A process that starts elsewhere has every open file until it becomes its program; `dup` stands for it.
    @Test func aLockEndsWithItsWriter() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/out.jsonl"
            var copies: [Int32] = []
            defer { for copy in copies { close(copy) } }
            func copy(_ name: String) throws {
                let file = try #require(lastDescriptor(of: name))
                copies.append(dup(file))
            }
            func append() throws {
                let file = try AppendFile(path)
                try file.appendLine("{}")
                try copy(path)
            }
            try append()
            try append()
            func begin() throws {
                let file = try AtomicFile(path, from: 0)
                try copy(AtomicFile.unfinishedName(of: path))
                file.keep()
            }
            try begin()
            try begin()
            #expect(try Files.readText(path) == "{}\n{}\n")
        }
    }

    /// The number under which this process has opened a file last.
    private func lastDescriptor(of path: String) -> Int32? {
        var wanted = stat()
        guard stat(path, &wanted) == 0 else { return nil }
        return (0..<Int32(1_024)).last { number in
            var status = stat()
            return fstat(number, &status) == 0 && status.st_ino == wanted.st_ino && status.st_dev == wanted.st_dev
        }
    }

    @Test func linesOfThreadsDoNotMix() throws {
        try withTemporaryFolder { folder in
            let file = try AppendFile(folder + "/out.jsonl")
            try Parallel.forEach(200, workers: 4) { try file.appendLine(String(repeating: "\($0 % 10)", count: 500)) }
            try file.close()
            let lines = try Files.readText(folder + "/out.jsonl").split(separator: "\n")
            #expect(lines.count == 200)
            #expect(lines.allSatisfy { $0.count == 500 && Set($0).count == 1 })
        }
    }

    @Test func mapping() throws {
        try withTemporaryFolder { folder in
            let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try Files.write(content, to: folder + "/data")
            let file = try MappedFile(folder + "/data")
            #expect(file.count == 100_000)
            file.release(5_000..<90_000)
            file.release(0..<100_000)
            #expect(file.bytes.elementsEqual(content))
            try Files.write([], to: folder + "/empty")
            #expect(try MappedFile(folder + "/empty").count == 0)
            #expect(throws: FileError.self) { _ = try MappedFile(folder) }
        }
    }
}
