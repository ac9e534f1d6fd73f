import Basics
import Checkpointing
import TestSupport
import Testing

/// One way to damage a file, and what the error must say about it.
struct Damage: CustomTestStringConvertible, Sendable {
    let name: String
    let fault: CheckpointError.Fault
    let message: String
    let bytes: [UInt8]
    var testDescription: String { name }

    init(_ name: String, _ fault: CheckpointError.Fault, _ message: String, _ file: SafetensorsBytes) {
        self.init(name, fault, message, file.bytes)
    }

    init(_ name: String, _ fault: CheckpointError.Fault, _ message: String, _ bytes: [UInt8]) {
        self.name = name
        self.fault = fault
        self.message = message
        self.bytes = bytes
    }

    /// The valid file with a part of its header replaced.
    init(_ fault: CheckpointError.Fault, _ old: String, _ new: String, _ message: String) {
        self.init("\(old) → \(new)", fault, message, .replacing(old, new))
    }

    static let all: [Damage] = {
        let valid = SafetensorsBytes.valid
        var damages = [
            Damage("empty", .truncated, "has 0 bytes", []),
            Damage("seven bytes", .truncated, "has 7 bytes", Array(valid.bytes.prefix(7))),
            Damage("only the length", .truncated, "but only 0 follow", Array(valid.bytes.prefix(8))),
            Damage("cut in the header", .truncated, "but only 92 follow", Array(valid.bytes.prefix(100))),
            Damage(
                "cut in the data", .truncated, "ends at byte 40 of the data, which has only 39",
                Array(valid.bytes.dropLast())),
            Damage(
                "no data", .truncated, "ends at byte 24 of the data, which has only 0",
                SafetensorsBytes(header: valid.header)),
            Damage(
                "bytes behind", .range, "1 bytes at the end belong to no tensor",
                SafetensorsBytes(header: valid.header, data: valid.data + [0])),
            Damage(
                "PyTorch zip", .pickle, "pickle format", Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 60)),
            Damage("old pickle", .pickle, "pickle format", [0x80, 2] + [UInt8](repeating: 0x8A, count: 60)),
            Damage(
                "LFS pointer", .foreignFile, "is a Git LFS pointer",
                Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n".utf8)),
            Damage("web page", .foreignFile, "is a web page", Array("<!DOCTYPE html><html></html>".utf8)),
            Damage("GGUF", .foreignFile, "is a GGUF file", Array("GGUF".utf8) + [3, 0, 0, 0, 0, 0, 0, 0]),
            Damage(
                "zeros", .header, "too few for one", [UInt8](repeating: 0, count: 100)),
            Damage("text", .headerLength, "announces a header of", Array("hello, this is some text".utf8)),
        ]
        for power in [26, 40, 60, 63] {
            damages.append(
                Damage(
                    "length 2^\(power)", .headerLength, "announces a header of \(UInt64(1) << power) bytes",
                    SafetensorsBytes(header: valid.header, data: valid.data, announcedLength: 1 << UInt64(power))))
        }
        damages.append(
            Damage(
                "length 2^64 - 1", .headerLength, "announces a header of 18446744073709551615 bytes",
                SafetensorsBytes(header: valid.header, data: valid.data, announcedLength: .max)))
        for length in [0, 1, 20] {
            damages.append(
                Damage(
                    "length \(length)", .header, length < 2 ? "too few for one" : "the header cannot be read",
                    SafetensorsBytes(header: valid.header, data: valid.data, announcedLength: UInt64(length))))
        }
        for (header, message) in [
            ("[]", "does not start with"), ("{", "too few for one"), ("{} x", "the header cannot be read"),
            ("{\"a\":}", "the header cannot be read"),
            ("{\"a\":" + String(repeating: "[", count: 100_000), "nest deeper than 8 levels"),
            ("{\"a\":[" + String(repeating: "0,", count: 2_100_000) + "0]}", "holds more than 2097152 values"),
            ("{\"a\":1}", "is described by an integer"), ("{\"a\":null}", "is described by null"),
            ("{\"__metadata__\":3}", "\"__metadata__\" is an integer"),
            ("{\"__metadata__\":{\"x\":[]}}", "holds an array under \"x\""),
        ] {
            damages.append(Damage("header \(header.prefix(30))", .header, message, SafetensorsBytes(header: header)))
        }
        damages.append(
            Damage(
                "invalid UTF-8", .header, "not UTF-8",
                [7, 0, 0, 0, 0, 0, 0, 0] + Array("{\"".utf8) + [0xFF] + Array("\":1}".utf8)))
        damages += [
            Damage(.header, "\"b\":", "\"a\":", "the key \"a\" occurs twice"),
            Damage(.header, "\"shape\":[2],", "\"shape\":[2],\"shape\":[2],", "the key \"shape\" occurs twice"),
            Damage(.header, "\"shape\":[2],", "\"shape\":[2],\"stride\":1,", "has the unknown property \"stride\""),
            Damage(.element, "\"F32\"", "\"F99\"", "the element type \"F99\" is not supported"),
            Damage(.element, "\"F32\"", "\"f32\"", "the element type \"f32\" is not supported"),
            Damage(.element, "\"F32\"", "32", "\"dtype\" is an integer"),
            Damage(.element, "\"dtype\":\"F32\",", "", "\"dtype\" is missing"),
            Damage(.shape, "\"F32\"", "\"F16\"", "takes 12 bytes, but the offsets span 24"),
            Damage(.shape, "[2,3]", "[2,4]", "takes 32 bytes, but the offsets span 24"),
            Damage(.shape, "[2,3]", "[]", "takes 4 bytes, but the offsets span 24"),
            Damage(.shape, "[2,3]", "[0,3]", "takes 0 bytes, but the offsets span 24"),
            Damage(.shape, "[2,3]", "[-2,-3]", "holds -2, not a size"),
            Damage(.shape, "[2,3]", "[2.0,3]", "holds 2.0, not a size"),
            Damage(.shape, "[2,3]", "[\"2\",3]", "holds \"2\", not a size"),
            Damage(.shape, "[2,3]", "6", "\"shape\" is an integer"),
            Damage(.shape, "\"shape\":[2,3],", "", "\"shape\" is missing"),
            Damage(.shape, "[2,3]", "[4294967296,4294967296]", "has more elements than can be counted"),
            Damage(.shape, "[2,3]", "[9223372036854775807,2,3]", "has more elements than can be counted"),
            Damage(.shape, "[2,3]", "[9223372036854775808]", "not a size"),
            Damage(.shape, "[2,3]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2,3]", "has 17 axes"),
            Damage(.range, "[0,24]", "[0]", "is not an array of two integers"),
            Damage(.range, "[0,24]", "[0,24,24]", "is not an array of two integers"),
            Damage(.range, "[0,24]", "[0,24.0]", "is not an array of two integers"),
            Damage(.range, "[0,24]", "[24,0]", "are not in order"),
            Damage(.range, "[0,24]", "[-4,20]", "are not in order"),
            Damage(.truncated, "[0,24]", "[9223372036854775783,9223372036854775807]", "which has only 40"),
            Damage(.range, "[0,24]", "[16,40]", "16 bytes before it belong to no tensor"),
            Damage(.range, "[0,24]", "[4,28]", "4 bytes before it belong to no tensor"),
            Damage(.truncated, "[24,40]", "[28,44]", "ends at byte 44 of the data, which has only 40"),
            Damage(.range, "[24,40]", "[20,36]", "its bytes overlap those of \"a\" by 4"),
        ]
        return damages
    }()
}

@Suite("Damaged safetensors files")
struct DamagedFileTests {
    @Test func thereAreManyKinds() {
        #expect(Damage.all.count >= 60)
    }

    @Test(arguments: Damage.all) func isRefusedWithTheReason(damage: Damage) throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "model.safetensors")
            try Files.write(damage.bytes, to: path)
            let error = try #require(throws: CheckpointError.self) { try TensorFile(path) }
            #expect(error.problem.hasPrefix(path + ": "))
            #expect(error.problem.contains(damage.message))
            #expect(error.fault == damage.fault)
            #expect(error.fix != nil)
        }
    }

    /// Any flipped bytes either leave a file whose tensors can all be read, or give an error: never a crash.
    @Test func mutationsNeverCrash() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "model.safetensors")
            var random = RandomGenerator(seed: 8)
            var opened = 0
            for _ in 0..<2_000 {
                var bytes = SafetensorsBytes.valid.bytes
                for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
                if random.below(4) == 0 { bytes.removeLast(random.below(bytes.count)) }
                try Fixtures.writeQuickly(bytes, to: path)
                guard let file = try? TensorFile(path) else { continue }
                opened += 1
                for entry in file.entries {
                    let count = try file.withBytes(entry.name) { $0.count }
                    #expect(count == entry.count * entry.element.byteCount)
                }
            }
            #expect(opened > 10)
        }
    }
}
