import Basics
import CPUBackend
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Training
import VisionLanguage

/// Models whose weights lie in bfloat16 or in blocks answer, are written, and come back as they were.
@Suite("Weight storage") struct WeightStorageTests {
    /// Rows of the model's matrices are whole blocks.
    private static let wholeBlocks = ["model.vision.hidden_size=64", "model.language.hidden_size=64"]

    private func bytes(_ parameter: Parameter) -> [UInt8] {
        let value = parameter.value
        return Array(UnsafeRawBufferPointer(start: value.pointer, count: value.dtype.byteCount(of: value.count)))
    }

    @Test(arguments: [WeightStorage.q8, .q4])
    func aQuantisedFolderComesBackAsItWas(_ form: WeightStorage) throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let backend = CPUBackend(threads: 2, products: .bfloat16)
            let bundle = try run.recipe(Self.wholeBlocks).makeModel(on: backend)
            bundle.model.store(form)
            let path = Paths.join(folder, "stored")
            try bundle.write(to: path, storage: form)
            #expect(try WeightStorage.ofFolder(path) == form)
            let again = try ModelBundle.open(path, on: backend)
            let kinds = again.model.parameters.entries.map(\.parameter.value.dtype)
            #expect(kinds.contains { form == .q8 ? DType.int8Blocks.contains($0) : $0 == .int4Blocks })
            // Query, key and value are still one product.
            let first = again.model.parameters
            let names = ["query", "key", "value"].map { "language.layers.0.attention.\($0).weight" }
            let storages = names.compactMap { first[$0]?.value.storage }
            #expect(storages.count == 3 && storages.allSatisfy { $0 === storages[0] })
            for (old, new) in zip(bundle.model.parameters.entries, again.model.parameters.entries)
            where old.parameter.value.dtype == new.parameter.value.dtype {
                #expect(bytes(old.parameter) == bytes(new.parameter), "\(old.path)")
            }
            let prompt = Prompt(ids: [5, 6, 7, 8])
            let settings = GenerationSettings(maximumNewTokens: 6)
            // The file holds the other matrices in bfloat16, and a model is opened with them in float32.
            again.model.store(.bfloat16)
            #expect(
                Generator(again.model).generate([prompt], settings)
                    == Generator(bundle.model).generate([prompt], settings))
        }
    }

    /// Weights that are loaded in the form in which they are kept are those that are loaded and then brought into it.
    @Test(arguments: [WeightStorage.bfloat16, .q8, .q4])
    func weightsAreLoadedInTheirForm(_ form: WeightStorage) throws {
        try withTemporaryFolder { folder in
            let backend = CPUBackend(threads: 2, products: .bfloat16)
            let path = Paths.join(folder, "plain")
            try SmallRun(folder).recipe(Self.wholeBlocks).makeModel(on: backend).write(to: path)
            let (before, after) = try (
                ModelBundle.open(path, storage: form, on: backend), ModelBundle.open(path, on: backend)
            )
            after.model.store(form)
            for (a, b) in zip(before.model.parameters.entries, after.model.parameters.entries) {
                #expect(a.parameter.value.dtype == b.parameter.value.dtype, "\(a.path)")
                #expect(bytes(a.parameter) == bytes(b.parameter), "\(a.path)")
            }
            let tree = before.model.parameters
            let storages = ["gate", "up"].compactMap { tree["language.layers.0.feedForward.\($0).weight"]?.value }
            #expect(storages.count == 2 && storages[0].storage === storages[1].storage)
            #expect(storages[0].byteOffset < storages[1].byteOffset)
        }
    }

    /// Tower and projector in blocks beside a decoder in others: all matrices but the first, which reads the pictures themselves.
    @Test func aTowerInBlocks() throws {
        try withTemporaryFolder { folder in
            let backend = CPUBackend(threads: 2, products: .bfloat16)
            let path = Paths.join(folder, "plain")
            try SmallRun(folder).recipe(Self.wholeBlocks).makeModel(on: backend).write(to: path)
            let (before, after) = try (
                ModelBundle.open(path, storage: .q4, visionStorage: .q8, on: backend),
                ModelBundle.open(path, on: backend)
            )
            after.model.store(.q4, vision: .q8)
            var inBlocks = 0
            for (a, b) in zip(before.model.parameters.entries, after.model.parameters.entries) {
                #expect(a.parameter.value.dtype == b.parameter.value.dtype, "\(a.path)")
                #expect(bytes(a.parameter) == bytes(b.parameter), "\(a.path)")
                guard !a.path.hasPrefix("language.") else { continue }
                let isInBlocks = a.parameter.value.dtype.isInBlocks
                if isInBlocks { inBlocks += 1 }
                #expect(!isInBlocks || !a.path.hasPrefix("vision.patchEmbedding"), "\(a.path)")
                #expect(a.parameter.value.dtype != .int4Blocks, "\(a.path)")
            }
            #expect(inBlocks > 0)
        }
    }

    /// Random weights that are drawn in the form in which they are kept are those that are drawn and then brought into it.
    @Test(arguments: [WeightStorage?.none, .bfloat16, .q8, .q4])
    func randomWeightsAreDrawnInTheirForm(_ form: WeightStorage?) {
        let backend = CPUBackend(threads: 2, products: .bfloat16)
        let configuration = ModelPreset.tiny.configuration
        let before = VisionLanguageModel(configuration, Initializer(backend: backend, seed: 3))
        if let form { before.store(form) }
        let after = VisionLanguageModel.random(configuration, seed: 3, storage: form, on: backend)
        for (a, b) in zip(before.parameters.entries, after.parameters.entries) {
            #expect(a.parameter.value.dtype == b.parameter.value.dtype, "\(a.path)")
            #expect(bytes(a.parameter) == bytes(b.parameter), "\(a.path)")
        }
    }

    @Test func blocksStayNearTheWeights() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            for (form, bound) in [(WeightStorage.bfloat16, 0.005), (.q8, 0.01), (.q4, 0.12)] {
                let backend = CPUBackend(threads: 1)
                let (plain, stored) = try (
                    run.recipe(Self.wholeBlocks).makeModel(on: backend),
                    run.recipe(Self.wholeBlocks).makeModel(on: backend)
                )
                stored.model.store(form)
                for (a, b) in zip(plain.model.parameters.entries, stored.model.parameters.entries) {
                    let (x, y) = (a.parameter.value.floats, b.parameter.value.floats)
                    let error = zip(x, y).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
                    let size = x.reduce(0.0) { $0 + Double($1 * $1) }
                    #expect(error.squareRoot() <= bound * size.squareRoot(), "\(a.path) as \(form)")
                    if a.parameter.shape.rank == 1 || a.path.contains("positions") { #expect(x == y, "\(a.path)") }
                }
            }
        }
    }

    /// A row of 8-bit weights has as few scales as its length allows, whether it is loaded, drawn or brought into its form, and comes back so.
    @Test func rowsHaveTheLongestBlocksThatFillThem() throws {
        let lengths = [192: 192, 320: 64, 384: 192, 512: 256, 640: 128, 1_152: 192]
        for hiddenSize in [64, 192, 320] {
            try withTemporaryFolder { folder in
                let backend = CPUBackend(threads: 2, products: .bfloat16)
                let recipe = try SmallRun(folder).recipe(
                    [
                        "model.language.hidden_size=\(hiddenSize)",
                        "model.language.intermediate_size=\(2 * hiddenSize)",
                    ])
                let bundle = try recipe.makeModel(on: backend)
                bundle.model.store(.q8)
                let path = Paths.join(folder, "stored")
                try bundle.write(to: path, storage: .q8)
                for model in [bundle.model, try ModelBundle.open(path, on: backend).model] {
                    for (name, columns) in [("gate", hiddenSize), ("up", hiddenSize), ("down", 2 * hiddenSize)] {
                        let weight = try #require(model.parameters["language.layers.0.feedForward.\(name).weight"])
                        #expect(weight.value.dtype.blockLength == lengths[columns] ?? columns, "\(name) of \(columns)")
                        #expect(weight.value.dtype != .int4Blocks)
                    }
                }
            }
        }
    }

    /// A folder may say one length, or all that its rows may have.
    @Test(arguments: [
        (#"{"8": 64, "4": 32}"#, true), (#"{"8": [256, 64], "4": [32]}"#, true), (#"{"8": [512, 64], "4": 32}"#, false),
    ])
    func lengthsOfBlocksAreCompared(_ lengths: String, _ isKnown: Bool) throws {
        try withTemporaryFolder { folder in
            try Files.write(
                #"{"quantization_config": {"quant_method": "vitrail", "format": "q8", "block_lengths": \#(lengths)}}"#,
                to: Paths.join(folder, "config.json"))
            #expect((try? WeightStorage.ofFolder(folder)) == (isKnown ? .q8 : nil))
        }
    }

    @Test func foreignQuantisationIsNamed() throws {
        try withTemporaryFolder { folder in
            try Files.write(
                #"{"quantization_config": {"quant_method": "gptq", "bits": 4}}"#, to: Paths.join(folder, "config.json"))
            let error = #expect(throws: UserError.self) { try WeightStorage.ofFolder(folder) }
            #expect(error?.problem.contains("quantised by gptq are not supported") == true)
        }
    }

    @Test func blocksOfAnotherLengthAreRefused() throws {
        try withTemporaryFolder { folder in
            try Files.write(
                #"{"quantization_config": {"quant_method": "vitrail", "format": "q8", "block_length": 32}}"#,
                to: Paths.join(folder, "config.json"))
            let error = #expect(throws: UserError.self) { try WeightStorage.ofFolder(folder) }
            #expect(error?.problem.hasSuffix("the weights are in blocks of another length than this version's") == true)
            #expect(error?.fix?.hasSuffix("--quantize q8") == true)
        }
    }

    @Test func blocksAreNotTrained() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe()
            let bundle = try recipe.makeModel(on: CPUBackend(threads: 1))
            bundle.model.store(.q8)
            let trainer = Trainer(
                recipe, bundle: bundle, folder: RunFolder(Paths.join(folder, "run")), workers: 1
            ) { _ in .proceed }
            let error = #expect(throws: UserError.self) { _ = try trainer.run() }
            #expect(error?.problem.contains("cannot be trained") == true)
        }
    }
}
