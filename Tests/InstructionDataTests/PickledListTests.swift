import Basics
import InstructionData
import TestSupport
import Testing

/// The reader of pickles against what CPython reads from the same files (`Scripts/reference/make_pickle_fixtures.py`), and against
/// files that mean harm.
@Suite struct PickledListTests {
    private static let folder = Paths.join(Paths.parent(#filePath), "Fixtures/pickles")
    private static let names = ["python2-0", "python2-1", "python2-2"] + (0...5).map { "python3-\($0)" }

    private func list(_ bytes: [UInt8]) throws(PickledList.Fault) -> PickledList {
        var list: Result<PickledList, PickledList.Fault>
        list = bytes.withUnsafeBytes { bytes in
            do throws(PickledList.Fault) { return .success(try PickledList(bytes)) } catch { return .failure(error) }
        }
        return try list.get()
    }

    private func reason(_ bytes: [UInt8]) -> String? {
        do throws(PickledList.Fault) {
            let list = try list(bytes)
            for position in 0..<list.count { _ = list.value(at: position) }
            return nil
        } catch { return error.reason }
    }

    @Test(arguments: names) func valuesAreWhatPythonReads(_ name: String) throws {
        let list = try list(try Files.read(Paths.join(Self.folder, name + ".p")))
        let expected = try JSON.parse(
            try Files.readText(Paths.join(Self.folder, "expected.json")), source: "expected.json")
        #expect(JSON.array((0..<list.count).map(list.value(at:))) == expected)
    }

    @Test func whatWouldRunCodeIsRefused() {
        // os.system("id"), as an exploit pickles it.
        #expect(
            reason(Array("(lp0\ncos\nsystem\n(S'id'\ntR.".utf8))
                == "byte 5: the pickle names the Python object os.system; only plain values are read, since anything else could run code"
        )
        for (opcode, what) in [
            ("R", "calls a Python object"), ("b", "builds a Python object"), ("Q", "asks for an object from outside"),
            ("\u{0}", "0 is no opcode of a pickle"),
        ] {
            #expect(reason(Array("(l\(opcode)".utf8))?.contains(what) == true, "\(what)")
        }
        #expect(reason([0x80, 2, 0x5D, 0x93])?.contains("names a Python object") == true)
    }

    @Test func damagedFilesSayWhere() {
        let cases: [(String, String)] = [
            ("(", "the file ends too early"), ("]", "the file ends too early"), ("(.", "the stack is empty"),
            ("]a.", "there is nothing to add a member to"), ("(lp0\nI1", "the file ends too early"),
            ("(lI12345678901234567890\n", "no whole number of 64 bits"), ("(l}I1\nI2\ns.", "a key that is no text"),
            ("(lg7\n", "nothing was remembered as 7"), ("(lS'x\n", "a text is not in quotes"),
            ("(lV\\u12\n", "an escape of a text is not"), ("(lS'\\x4'\n", "an escape of a text is not"),
            ("(lT\u{7F}\u{7F}\u{7F}\u{7F}a", "the file ends too early"), ("}.", "the pickle holds no list"),
            ("(lFone\n", "is no number"), ("N.", "the pickle holds no list"),
        ]
        for (text, what) in cases { #expect(reason(Array(text.utf8))?.contains(what) == true, "\(text)") }
        #expect(reason([0x80, 9])?.contains("protocol 9") == true)
        #expect(reason([0x5D, 0x8D] + [UInt8](repeating: 0xFF, count: 8))?.contains("too early") == true)
        #expect(reason([0x5D, 0x8B, 9, 0, 0, 0] + [UInt8](repeating: 1, count: 12))?.contains("64 bits") == true)
    }

    @Test func bombsDoNotGoOff() {
        let deep = String(repeating: "(", count: 100_000) + String(repeating: "l", count: 100_000) + "."
        #expect(reason(Array(deep.utf8))?.contains("the pickle") == true)
        let nested = String(repeating: "]", count: 5_000) + String(repeating: "a", count: 4_999) + "."
        #expect(reason(Array(nested.utf8))?.contains("deeper than 64") == true)
        // A list within itself.
        #expect(reason(Array("(lp0\ng0\na.".utf8))?.contains("or holds itself") == true)
        // Forty lists, each of ten times the one before.
        var laughs = "(lp0\nI1\na0"
        for level in 1...40 {
            laughs += "(lp\(level)\n" + String(repeating: "g\(level - 1)\na", count: 10) + "0"
        }
        #expect(reason(Array((laughs + "(lg40\na.").utf8))?.contains("share their members") == true)
        // A long text ten thousand times.
        let text =
            "(lS'" + String(repeating: "x", count: 100_000) + "'\np1\na" + String(repeating: "g1\na", count: 10_000)
        #expect(reason(Array((text + ".").utf8))?.contains("share their members") == true)
    }

    @Test func mutationsAreReadOrRefused() throws {
        var generator = RandomGenerator(seed: 5)
        var (read, refused) = (0, 0)
        for name in Self.names {
            let original = try Files.read(Paths.join(Self.folder, name + ".p"))
            for _ in 0..<300 {
                var bytes = original
                for _ in 0...generator.below(3) {
                    switch generator.below(4) {
                    case 0: bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
                    case 1: bytes.remove(at: generator.below(bytes.count))
                    case 2: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: generator.below(bytes.count))
                    default: bytes.removeLast(generator.below(bytes.count - 8))
                    }
                }
                if let reason = reason(bytes) {
                    refused += 1
                    #expect(!reason.isEmpty)
                } else {
                    read += 1
                }
            }
        }
        #expect(read > 200 && refused > 1_000, "\(read) read, \(refused) refused")
    }
}

/// `convert refcoco` on the published form.
@Suite struct PickledReferencesTests {
    private func convert(_ references: String, _ scratch: Scratch, lenient: Bool = false) throws -> ConversionReport {
        var request = ConversionRequest(input: references)
        request.annotations = scratch.file("instances.json")
        request.lenient = lenient
        var conversion = Conversion(kind: "refcoco", request: request)
        conversion.output = scratch.file("out.jsonl")
        return try conversion.run()
    }

    @Test func aPickleGivesWhatItsJSONGives() throws {
        let scratch = try Scratch()
        let fixtures = Paths.join(Paths.parent(#filePath), "Fixtures/pickles")
        let images = (0..<5).map { #"{"id":\#(2_147_483_648 + $0),"file_name":"\#($0).jpg","width":100,"height":50}"# }
        let boxes = (0..<5).map {
            #"{"id":\#(1_700_000 + $0),"image_id":\#(2_147_483_648 + $0),"bbox":[\#($0),1,20,10]}"#
        }
        try scratch.write(
            "instances.json",
            "{\"images\":[\(images.joined(separator: ","))],\"annotations\":[\(boxes.joined(separator: ","))]}")
        for number in 0..<5 { try scratch.write("\(number).jpg", "x") }
        for name in ["expected.json", "python2-0.p", "python2-2.p"] {
            try Files.write(try Files.read(Paths.join(fixtures, name)), to: scratch.file(name))
        }
        #expect(try convert(scratch.file("expected.json"), scratch).exchanges == 10)
        let expected = try Files.readText(scratch.file("out.jsonl"))
        for name in ["python2-0.p", "python2-2.p"] {
            #expect(try convert(scratch.file(name), scratch).records == 5)
            #expect(try Files.readText(scratch.file("out.jsonl")) == expected)
        }
        try scratch.write("bad.p", "(l(dS'ref_id'\nI1\nsacos\nsystem\n.")
        try Files.remove(scratch.file("out.jsonl"))
        let fault = problem { _ = try self.convert(scratch.file("bad.p"), scratch) }
        #expect(fault?.problem.contains("bad.p: byte 19: the pickle names the Python object os.system") == true)
        #expect(fault?.fix != nil && !Files.exists(scratch.file("out.jsonl")))
    }
}
