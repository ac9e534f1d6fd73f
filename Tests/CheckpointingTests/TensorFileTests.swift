import Basics
import Checkpointing
import TestSupport
import Testing

@Suite("Safetensors files")
struct TensorFileTests {
    @Test func readsWhatIsThere() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "x.safetensors")
            try SafetensorsBytes.valid.write(to: path)
            let file = try TensorFile(path)
            #expect(file.names == ["a", "b"])
            #expect(file.metadata == ["format": "pt"])
            #expect(try file.entry("a").shape == [2, 3])
            #expect(try file.entry("a").element == .float32)
            #expect(try file.floats("a") == [0, 1, 2, 3, 4, 5])
            #expect(try file.integers("b") == [-1, 7])
            #expect(file.contains("b") && !file.contains("c"))
        }
    }

    @Test func wrongUsesAreNamed() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "x.safetensors")
            try SafetensorsBytes.replacing("\"a\"", "\"layers.0.weight\"").write(to: path)
            let file = try TensorFile(path)
            let missing = try #require(throws: CheckpointError.self) { try file.floats("layer.0.weight") }
            #expect(
                missing.problem
                    == "\(path): tensor \"layer.0.weight\": there is no such tensor (did you mean \"layers.0.weight\"?)"
            )
            let integers = try #require(throws: CheckpointError.self) { try file.integers("layers.0.weight") }
            #expect(integers.reason == "holds F32 numbers where integers are wanted")
            let floats = try #require(throws: CheckpointError.self) { try file.floats("b") }
            #expect(floats.reason == "holds I64 elements where F32 are wanted")
        }
    }

    /// A header whose length is odd puts the data on odd addresses, which is legal.
    @Test func unalignedDataIsRead() throws {
        try withTemporaryFolder { folder in
            for padding in 0..<8 {
                let path = Paths.join(folder, "x.safetensors")
                var file = SafetensorsBytes.valid
                file.header += String(repeating: " ", count: padding)
                try file.write(to: path)
                #expect(try TensorFile(path).floats("a") == [0, 1, 2, 3, 4, 5])
                #expect(try TensorFile(path).integers("b") == [-1, 7])
            }
        }
    }

    @Test func emptyTensorsAndScalars() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "x.safetensors")
            let header = """
                {"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"BF16","shape":[0,7],"data_offsets":[4,4]},\
                "t":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]}}
                """
            try SafetensorsBytes(header: header, data: [0, 0, 0x80, 0x3F, 1, 0, 1]).write(to: path)
            let file = try TensorFile(path)
            #expect(try file.floats("s") == [1])
            #expect(try file.floats("e") == [])
            #expect(try file.integers("t") == [1, 0, 1])
            try SafetensorsBytes(header: "{}").write(to: path)
            #expect(try TensorFile(path).names == [])
        }
    }

    /// Keys that Swift's string equality would merge.
    @Test func namesDifferByBytes() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "x.safetensors")
            let header = """
                {"\u{E9}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"e\u{301}":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}
                """
            try SafetensorsBytes(header: header, data: [1, 2]).write(to: path)
            let folderView = try TensorFolder(path)
            #expect(try folderView.integers("\u{E9}") == [1])
            #expect(try folderView.integers("e\u{301}") == [2])
        }
    }

    @Test(arguments: [TensorElement.float32, .float16, .bfloat16, .float64])
    func floatingPointTypesConvert(element: TensorElement) throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "x.safetensors")
            // Exact in all of the types.
            let values: [Float] = [0, 1, -2.5, 0.0078125, 96, -0.0, 1.5e-2 * 0 + 0.25]
            var writer = try SafetensorsWriter(
                path, [TensorDescription(name: "x", element: element, shape: [7])])
            try writer.append("x", floats: values)
            try writer.finish()
            let file = try TensorFile(path)
            #expect(try file.entry("x").element == element)
            #expect(try file.floats("x").map(\.bitPattern) == values.map(\.bitPattern))
            for wanted in [TensorElement.float32, .float16, .bfloat16, .float64] {
                var bytes = [UInt8](repeating: 0, count: 7 * wanted.byteCount)
                try bytes.withUnsafeMutableBytes { try file.read("x", into: $0, as: wanted) }
                let again = Paths.join(folder, "y.safetensors")
                var copy = try SafetensorsWriter(again, [TensorDescription(name: "x", element: wanted, shape: [7])])
                try bytes.withUnsafeBytes { try copy.append("x", $0) }
                try copy.finish()
                #expect(try TensorFile(again).floats("x") == values)
            }
        }
    }

    @Test func nonFiniteWeightsAreFoundWhenAsked() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "x.safetensors")
            var values = [Float](repeating: 1, count: 10_000)
            values[7_777] = .nan
            for element in [TensorElement.float32, .bfloat16, .float16] {
                var writer = try SafetensorsWriter(
                    path, [TensorDescription(name: "w", element: element, shape: [10_000])])
                try writer.append("w", floats: values)
                try writer.finish()
                let file = try TensorFile(path)
                var floats = [Float](repeating: 0, count: 10_000)
                try floats.withUnsafeMutableBytes { try file.read("w", into: $0, as: .float32) }
                #expect(floats[7_777].isNaN)
                let error = try #require(throws: CheckpointError.self) {
                    try floats.withUnsafeMutableBytes { try file.read("w", into: $0, as: .float32, checksFinite: true) }
                }
                #expect(error.fault == .notFinite)
                #expect(error.reason.hasPrefix("element 7777 is not a finite number"))
            }
        }
    }

    @Test func pickleEndingsAreRefused() throws {
        try withTemporaryFolder { folder in
            for ending in ["bin", "pt", "pth"] {
                let path = Paths.join(folder, "it's a model." + ending)
                try Files.write("anything", to: path)
                let error = try #require(throws: CheckpointError.self) { try TensorFile(path) }
                #expect(error.fault == .pickle)
                let fix = try #require(error.fix)
                #expect(
                    fix.hasSuffix("'\(folder)/it'\\''s a model.\(ending)' '\(folder)/it'\\''s a model.safetensors'"))
            }
        }
    }
}
