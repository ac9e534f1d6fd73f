import Basics
import Checkpointing
import TestSupport
import Testing

@Suite("Checkpoint folders")
struct TensorFolderTests {
    private static let descriptions = (0..<10).map {
        TensorDescription(name: "layers.\($0).weight", element: $0 % 2 == 0 ? .float32 : .bfloat16, shape: [4, $0 + 1])
    }

    private static func values(_ description: TensorDescription) -> [Float] {
        let count = description.shape.reduce(1, *)
        return (0..<count).map { Float($0) + Float(count) / 4 }
    }

    /// Writes the ten tensors; returns the files' names.
    @discardableResult
    private func write(to folder: String, shardLimit: Int) throws -> [String] {
        try CheckpointWriter.write(Self.descriptions, to: folder, shardLimit: shardLimit) { description, take in
            let values = Self.values(description)
            if description.element == .float32 {
                try values.withUnsafeBytes { try take($0) }
            } else {
                try values.map { HalfFloat.bfloat16(from: $0) }.withUnsafeBytes { try take($0) }
            }
        }
    }

    private func check(_ folder: String) throws {
        let weights = try TensorFolder(folder)
        #expect(weights.names.sorted() == Self.descriptions.map(\.name).sorted())
        for description in Self.descriptions {
            #expect(try weights.entry(description.name).shape == description.shape)
            #expect(try weights.floats(description.name) == Self.values(description))
        }
    }

    @Test(arguments: [10_000, 250, 150, 1]) func roundTrip(shardLimit: Int) throws {
        try withTemporaryFolder { folder in
            let names = try write(to: folder, shardLimit: shardLimit)
            #expect(try Files.list(folder) == names.sorted())
            #expect(names.count == [10_000: 1, 250: 4, 150: 7, 1: 11][shardLimit])
            if shardLimit == 250 { #expect(names[0] == "model-00001-of-00003.safetensors") }
            try check(folder)
            for name in names where name.hasSuffix(".safetensors") {
                let file = try TensorFile(Paths.join(folder, name))
                #expect(file.entries.allSatisfy { $0.byteRange.lowerBound % $0.element.byteCount == 0 })
                #expect(file.metadata == ["format": "pt"])
            }
        }
    }

    /// The mark is of the weights, not of their files; a change of any piece that is looked at changes it.
    @Test func marksTellWeightsApart() throws {
        try withTemporaryFolder { folder in
            let (one, many) = (Paths.join(folder, "one"), Paths.join(folder, "many"))
            try Files.createDirectory(one)
            try Files.createDirectory(many)
            try write(to: one, shardLimit: 10_000)
            try write(to: many, shardLimit: 1)
            #expect(try TensorFolder(one).mark() == TensorFolder(many).mark())
            let large = TensorDescription(name: "w", element: .float32, shape: [100_003])
            func mark(_ values: [Float]) throws -> String {
                try CheckpointWriter.write([large], to: one, shardLimit: 1 << 30) { _, take in
                    try values.withUnsafeBytes { try take($0) }
                }
                return try TensorFolder(one).mark()
            }
            var values = [Float](repeating: 1, count: 100_003)
            let before = try mark(values)
            for place in [0, 100_002] {
                values[place] = 2
                #expect(try mark(values) != before, "\(place)")
                values[place] = 1
            }
            #expect(try mark(values) == before)
            #expect(try mark(values.map { $0 * 1.0001 }) != before)
        }
    }

    /// The last checkpoint wins, whatever stood there before.
    @Test func formerFilesAreRemoved() throws {
        try withTemporaryFolder { folder in
            try Files.write("{}", to: Paths.join(folder, "config.json"))
            try write(to: folder, shardLimit: 1)
            try write(to: folder, shardLimit: 250)
            #expect(try Files.list(folder).count == 4 + (Files.exists(Paths.join(folder, "config.json")) ? 1 : 0))
            try check(folder)
            try write(to: folder, shardLimit: 10_000)
            #expect(try Files.list(folder) == ["config.json", "model.safetensors"])
            try check(folder)
            try write(to: folder, shardLimit: 250)
            #expect(try Files.list(folder).count == 4 + (Files.exists(Paths.join(folder, "config.json")) ? 1 : 0))
            try check(folder)
        }
    }

    @Test func theIndexIsWhatTransformersWrites() throws {
        try withTemporaryFolder { folder in
            try write(to: folder, shardLimit: 250)
            let text = try Files.readText(Paths.join(folder, "model.safetensors.index.json"))
            #expect(
                text.hasPrefix(
                    "{\n  \"metadata\": {\n    \"total_size\": 640\n  },\n  \"weight_map\": {\n    \"layers.0.weight\"")
            )
            #expect(text.hasSuffix("}\n"))
        }
    }

    @Test func missingShardsAreListed() throws {
        try withTemporaryFolder { folder in
            try write(to: folder, shardLimit: 250)
            try Files.remove(Paths.join(folder, "model-00002-of-00003.safetensors"))
            let error = try #require(throws: CheckpointError.self) { try TensorFolder(folder) }
            #expect(error.fault == .missingShard)
            #expect(error.reason == "names 3 files, 1 of them missing: model-00002-of-00003.safetensors")
            #expect(error.fix == "copy or download the missing files into \(folder)")
            try Files.remove(Paths.join(folder, "model.safetensors.index.json"))
            let noIndex = try #require(throws: CheckpointError.self) { try TensorFolder(folder) }
            #expect(noIndex.reason == "holds shards but no model.safetensors.index.json")
        }
    }

    @Test(arguments: [
        ("{}", "has no object \"weight_map\""), ("[]", "has no object \"weight_map\""),
        ("{\"weight_map\": []}", "has no object \"weight_map\""), ("{\"weight_map\": {}}", "names no tensor at all"),
        ("{\"weight_map\": {\"a\": 1}}", "is mapped to an integer, not to a file name"),
        ("{\"weight_map\": {\"a\": \"../x.safetensors\"}}", "not to a .safetensors file beside the index"),
        ("{\"weight_map\": {\"a\": \"/etc/x.safetensors\"}}", "not to a .safetensors file beside the index"),
        ("{\"weight_map\": {\"a\": \"pytorch_model.bin\"}}", "not to a .safetensors file beside the index"),
    ])
    func damagedIndexes(text: String, message: String) throws {
        try withTemporaryFolder { folder in
            try Files.write(text, to: Paths.join(folder, "model.safetensors.index.json"))
            let error = try #require(throws: CheckpointError.self) { try TensorFolder(folder) }
            #expect(error.fault == .index)
            #expect(error.problem.contains(message))
        }
    }

    @Test func disagreementsAreListed() throws {
        try withTemporaryFolder { folder in
            try write(to: folder, shardLimit: 250)
            let path = Paths.join(folder, "model.safetensors.index.json")
            let text = try Files.readText(path)
            for (old, new, message) in [
                ("\"layers.3.weight\"", "\"layers.33.weight\"", "\"layers.33.weight\" should be in"),
                (
                    "\"layers.0.weight\": \"model-00001-of-00003", "\"layers.0.weight\": \"model-00003-of-00003",
                    "\"layers.0.weight\" should be in model-00003-of-00003.safetensors and is not"
                ),
                (
                    "    \"layers.0.weight\": \"model-00001-of-00003.safetensors\",\n", "",
                    "\"layers.0.weight\" is in model-00001-of-00003.safetensors, which the index does not say"
                ),
            ] {
                var changed = text
                changed.replaceSubrange(try #require(text.firstRange(of: old)), with: new)
                try Files.write(changed, to: path)
                let error = try #require(throws: CheckpointError.self) { try TensorFolder(folder) }
                #expect(error.problem.contains(message))
            }
            try Files.write(text + "x", to: path)
            #expect(throws: JSONError.self) { try TensorFolder(folder) }
        }
    }

    @Test func foldersWithoutWeights() throws {
        try withTemporaryFolder { folder in
            let empty = try #require(throws: CheckpointError.self) { try TensorFolder(folder) }
            #expect(empty.problem == "\(folder): holds no model.safetensors and no index of shards")
            try Files.write("x", to: Paths.join(folder, "consolidated.safetensors"))
            let other = try #require(throws: CheckpointError.self) { try TensorFolder(folder) }
            #expect(other.reason.hasSuffix("(found: consolidated.safetensors)"))
            try Files.write("x", to: Paths.join(folder, "pytorch_model-00001-of-00002.bin"))
            try Files.write("x", to: Paths.join(folder, "pytorch_model-00002-of-00002.bin"))
            let pickles = try #require(throws: CheckpointError.self) { try TensorFolder(folder) }
            #expect(pickles.fault == .pickle)
            #expect(pickles.fix?.hasSuffix("'\(folder)/pytorch_model-*.bin' '\(folder)/model.safetensors'") == true)
        }
    }

    /// Every golden file opens, and every tensor's bytes are read.
    @Test(.enabled(if: Fixtures.goldenFolder != nil)) func goldenFilesOpen() throws {
        var files = 0
        func visit(_ folder: String) throws {
            for name in try Files.list(folder) {
                let path = Paths.join(folder, name)
                if Files.isDirectory(path) { try visit(path) }
                guard name.hasSuffix(".safetensors") else { continue }
                files += 1
                let file = try TensorFile(path)
                for entry in file.entries {
                    if entry.element.isFloatingPoint {
                        #expect(try file.floats(entry.name).count == entry.shape.reduce(1, *))
                    } else {
                        #expect(try file.integers(entry.name).count == entry.shape.reduce(1, *))
                    }
                }
            }
        }
        try visit(try #require(Fixtures.goldenFolder))
        #expect(files > 0)
    }
}
