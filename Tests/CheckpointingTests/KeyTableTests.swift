import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Writes float32 tensors of the names and shapes given; element i of tensor k is k + i / 1000.
func writeTensors(_ tensors: [(name: String, shape: [Int])], to path: String) throws {
    var writer = try SafetensorsWriter(
        path, tensors.map { TensorDescription(name: $0.name, element: .float32, shape: $0.shape) })
    for (number, tensor) in tensors.enumerated() {
        let count = tensor.shape.reduce(1, *)
        try writer.append(tensor.name, floats: (0..<count).map { Float(number) + Float($0) / 1000 })
    }
    try writer.finish()
}

/// A tree of zeros.
func tree(_ parameters: [(path: String, shape: [Int])]) -> ParameterTree {
    let backend = TestBackend.reference.make()
    return ParameterTree(parameters.map { ($0.path, Parameter(backend.zeros(Shape($0.shape)), decays: false)) })
}

@Suite("Key tables")
struct KeyTableTests {
    private static let table = KeyTable(
        [
            KeyRule("emb.weight", "embedding"), KeyRule("h.{n}.proj", "layers.{n}.output"),
            KeyRule("h.{n}.qkv", ["layers.{n}.query", "layers.{n}.key", "layers.{n}.value"], .transposed),
            KeyRule("conv.weight", "patches.weight", .shaped([-1, 3, 2, 2])), KeyRule("head", "head"),
        ],
        aliases: [("model.", ""), ("", "emb.")],
        ignored: [IgnoredKey("h.{n}.mask", because: "constant"), IgnoredKey("text.**", because: "other half")],
        ties: [TiedKey("head.weight", to: "emb.weight")])

    private static let keys: [(name: String, shape: [Int])] = [
        ("emb.weight", [5, 4]), ("h.0.proj.weight", [4, 4]), ("h.0.qkv.weight", [4, 8]), ("h.0.qkv.bias", [8]),
        ("conv.weight", [2, 3, 2, 2]),
    ]
    private static let paths: [(path: String, shape: [Int])] = [
        ("embedding", [5, 4]), ("layers.0.query.weight", [4, 4]), ("layers.0.query.bias", [4]),
        ("layers.0.key.weight", [2, 4]), ("layers.0.key.bias", [2]), ("layers.0.value.weight", [2, 4]),
        ("layers.0.value.bias", [2]), ("layers.0.output.weight", [4, 4]), ("patches.weight", [2, 12]),
    ]

    private func load(
        _ keys: [(name: String, shape: [Int])], _ model: ParameterTree, _ table: KeyTable = table
    ) throws {
        try withTemporaryFolder { folder in
            try writeTensors(keys, to: Paths.join(folder, "model.safetensors"))
            try model.load(from: try TensorFolder(folder), table: table)
        }
    }

    private func differences(_ keys: [(name: String, shape: [Int])], _ model: ParameterTree) throws -> CheckpointError {
        let before = model.entries.map { $0.parameter.value.floats }
        let error = try #require(throws: CheckpointError.self) { try load(keys, model) }
        #expect(error.fault == .mismatch)
        #expect(model.entries.map { $0.parameter.value.floats } == before)
        return error
    }

    @Test func everyFormIsLoaded() throws {
        let model = tree(Self.paths)
        try load(Self.keys + [("h.0.mask", [1]), ("text.a.b", [2])], model)
        func value(_ key: Int, _ index: Int) -> Float { Float(key) + Float(index) / 1000 }
        #expect(model["embedding"]?.value.floats == (0..<20).map { value(0, $0) })
        #expect(model["layers.0.output.weight"]?.value.floats == (0..<16).map { value(1, $0) })
        // Column c of the file's [4, 8] is row c of query, key and value together.
        func column(_ column: Int) -> [Float] { (0..<4).map { value(2, $0 * 8 + column) } }
        #expect(model["layers.0.query.weight"]?.value.floats == (0..<4).flatMap(column))
        #expect(model["layers.0.key.weight"]?.value.floats == (4..<6).flatMap(column))
        #expect(model["layers.0.value.weight"]?.value.floats == (6..<8).flatMap(column))
        #expect(model["layers.0.value.bias"]?.value.floats == [value(3, 6), value(3, 7)])
        #expect(model["patches.weight"]?.value.floats == (0..<24).map { value(4, $0) })
    }

    /// What is saved has the keys and shapes of the file, and loads to the same values.
    @Test(arguments: [TensorElement.float32, .bfloat16, .float16]) func savingIsTheInverse(element: TensorElement)
        throws
    {
        try withTemporaryFolder { folder in
            let model = tree(Self.paths)
            try load(Self.keys, model)
            try model.save(to: folder, table: Self.table, element: element)
            let file = try TensorFolder(folder)
            #expect(Set(file.names) == Set(Self.keys.map(\.name)))
            for (name, shape) in Self.keys {
                #expect(try file.entry(name).shape == shape)
                #expect(try file.entry(name).element == element)
            }
            let again = tree(Self.paths)
            try again.load(from: file, table: Self.table)
            for (a, b) in zip(model.entries, again.entries) {
                let tolerance: Float = element == .float32 ? 0 : element == .float16 ? 0x1p-11 : 0x1p-8
                for (x, y) in zip(a.parameter.value.floats, b.parameter.value.floats) {
                    #expect(abs(x - y) <= tolerance * abs(x))
                }
            }
        }
    }

    @Test func otherSpellingsAreRead() throws {
        let model = tree(Self.paths)
        let renamed = Self.keys.map { ($0.name == "emb.weight" ? "weight" : "model." + $0.name, $0.shape) }
        try load(renamed, model)
        #expect(model["embedding"]?.value.floats[1] == 0.001)
        let error = try differences(Self.keys + [("model.emb.weight", [5, 4])], tree(Self.paths))
        #expect(
            error.reason.contains("twice: \"emb.weight\" and \"model.emb.weight\" are the same tensor in two spellings")
        )
    }

    @Test func allDifferencesAreToldAtOnce() throws {
        var keys = Self.keys
        keys[1] = ("h.0.prj.weight", [4, 4])
        keys[4] = ("conv.weight", [2, 3, 4, 1])
        keys.append(("h.1.proj.weight", [4, 4]))
        let error = try differences(keys, tree(Self.paths))
        let lines = error.reason.split(separator: "\n  ")
        #expect(
            lines == [
                "the weights do not fit the model: 1 missing, 2 unexpected, 1 of another shape",
                "missing: layers.0.output.weight, expected as \"h.0.proj.weight\" (did you mean \"h.0.prj.weight\"?)",
                "unexpected: \"h.0.prj.weight\"", "unexpected: \"h.1.proj.weight\"",
                "shape: \"conv.weight\" is [2, 3, 4, 1], patches.weight needs [2, 3, 2, 2]",
            ])
        #expect(
            error.fix == "config.json and the weights must come from the same model: check that the folder holds both")
    }

    @Test func longListsAreCut() throws {
        let extra = (0..<20).map { (name: "extra.\($0)", shape: [1]) }
        let error = try differences(Self.keys + extra, tree(Self.paths))
        #expect(error.reason.hasSuffix("unexpected: \"extra.7\"\n  unexpected: … and 12 more"))
    }

    @Test func fixesFitTheCase() throws {
        let untied = Self.paths + [("head.weight", [5, 4])]
        let size = try differences(
            Self.keys.map { $0.name == "emb.weight" ? ($0.name, [6, 4]) : $0 }, tree(Self.paths))
        #expect(size.fix?.hasPrefix("config.json describes another size of model") == true)
        #expect(
            try differences(Self.keys, tree(untied)).reason.contains(
                "missing: head.weight, expected as \"head.weight\""))
        let adapter = try differences([("base_model.model.h.0.proj.lora_A.weight", [1, 4])], tree(Self.paths))
        #expect(adapter.fix?.hasPrefix("this looks like an adapter") == true)
    }

    @Test func tiedTensorsMustBeEqual() throws {
        // `head.weight` is tensor 5 and differs from tensor 0.
        let error = try differences(Self.keys + [("head.weight", [5, 4])], tree(Self.paths))
        #expect(error.reason.contains("tied: \"head.weight\" differs from \"emb.weight\", to which it is tied"))
        #expect(error.fix?.contains("tie_word_embeddings") == true)
        // In the place of the embedding itself it is taken.
        let model = tree(Self.paths)
        try load([("head.weight", [5, 4])] + Self.keys.dropFirst(), model)
        #expect(model["embedding"]?.value.floats[3] == 0.003)
    }

    @Test func integersAreNotWeights() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "model.safetensors")
            var writer = try SafetensorsWriter(
                path, [TensorDescription(name: "emb.weight", element: .int32, shape: [2])])
            try [Int32(1), 2].withUnsafeBytes { try writer.append("emb.weight", $0) }
            try writer.finish()
            let error = try #require(throws: CheckpointError.self) {
                try tree([("embedding", [2])]).load(from: try TensorFile(path), table: Self.table)
            }
            #expect(error.reason.contains("element type: \"emb.weight\" is I32, embedding needs floats"))
        }
    }

    @Test func nonFiniteWeightsAreRefused() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "model.safetensors")
            var writer = try SafetensorsWriter(
                path, [TensorDescription(name: "emb.weight", element: .float32, shape: [3])])
            try writer.append("emb.weight", floats: [1, .infinity, 2])
            try writer.finish()
            let model = tree([("embedding", [3])])
            let error = try #require(throws: CheckpointError.self) {
                try model.load(from: try TensorFile(path), table: Self.table)
            }
            #expect(error.problem == "\(path): tensor \"emb.weight\": element 1 is not a finite number")
            try model.load(from: try TensorFile(path), table: Self.table, checksFinite: false)
            #expect(model["embedding"]?.value.floats == [1, .infinity, 2])
        }
    }

    @Test func nonFiniteScalesOfBlocksAreRefused() throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "model.safetensors")
            var writer = try SafetensorsWriter(
                path, [TensorDescription(name: "emb.weight", element: .uint8, shape: [2, 132])])
            var blocks = [UInt8](repeating: 1, count: 2 * 132)
            (blocks[132], blocks[133]) = (0x00, 0x7C)  // an infinite float16
            try blocks.withUnsafeBytes { try writer.append("emb.weight", $0) }
            try writer.finish()
            let error = try #require(throws: CheckpointError.self) {
                try tree([("embedding", [2, 128])]).load(from: try TensorFile(path), table: Self.table)
            }
            #expect(error.problem == "\(path): tensor \"emb.weight\": the scale of block 2 is not a finite number")
        }
    }

    @Test(arguments: DType.allCases.filter(\.isInBlocks))
    func weightsTooLargeForBlocksAreRefused(_ dtype: DType) throws {
        try withTemporaryFolder { folder in
            let path = Paths.join(folder, "model.safetensors"), columns = dtype.blockLength
            var writer = try SafetensorsWriter(
                path, [TensorDescription(name: "emb.weight", element: .float32, shape: [2, columns])])
            try writer.append("emb.weight", floats: [Float](repeating: 8, count: 2 * columns - 1) + [1e7])
            try writer.finish()
            let backend = TestBackend.reference.make()
            let model = ParameterTree([("embedding", Parameter(backend.empty([2, columns], dtype), decays: true))])
            let error = try #require(throws: CheckpointError.self) {
                try model.load(from: try TensorFile(path), table: Self.table)
            }
            #expect(error.reason == "a weight of block 1 is too large for weights of few bits")
        }
    }

    /// Weights go into the memory that the parameters have, whatever its element type.
    @Test(arguments: [DType.float32, .bfloat16, .float16, .int8Blocks64])
    func loadingKeepsTheMemory(dtype: DType) throws {
        let backend = TestBackend.reference.make()
        let parameter = Parameter(backend.empty([2, 64], dtype), decays: true)
        let pointer = parameter.value.pointer
        let model = ParameterTree([("embedding", parameter)])
        try load([("emb.weight", [2, 64])], model)
        #expect(parameter.value.pointer == pointer)
        for (index, value) in parameter.value.floats.enumerated() {
            #expect(abs(value - Float(index) / 1000) <= (dtype == .int8Blocks64 ? 3e-4 : 3e-4 * Float(index)))
        }
    }
}
