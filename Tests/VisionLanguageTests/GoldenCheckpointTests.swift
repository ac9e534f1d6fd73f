import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import VisionLanguage

/// Public checkpoints fill the models of their shape completely, and come out as they went in.
@Suite("Golden checkpoints")
struct GoldenCheckpointTests {
    /// Loads, saves, and compares every tensor's bytes with the original's.
    private func roundTrip(_ model: some ParameterNode, _ folder: String, _ table: KeyTable) throws {
        let original = try TensorFolder(folder)
        let tree = model.parameters
        #expect(
            tree.count == original.entries.filter { table.reasonToIgnore($0.name) == nil }.reduce(0) { $0 + $1.count })
        try tree.load(from: original, table: table)
        try withTemporaryFolder { target in
            try tree.save(to: target, table: table)
            let saved = try TensorFolder(target)
            #expect(saved.entries.count == original.entries.count)
            for entry in original.entries where saved.contains(entry.name) {
                #expect(try saved.entry(entry.name).shape == entry.shape)
                let equal = try saved.withBytes(entry.name) { a in
                    try original.withBytes(entry.name) { b in a.elementsEqual(b) }
                }
                #expect(equal, "\(entry.name)")
            }
        }
    }

    private let initializer = Initializer(backend: TestBackend.reference.make(), fills: false)

    @Test(arguments: Fixtures.golden(holding: "checkpoint/config.json", "generation.json"))
    func decoders(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let family = try ModelFamily.read(checkpoint)
        try roundTrip(VisionLanguageModel(family.configuration, initializer), checkpoint, family.table)
    }

    @Test(arguments: Fixtures.golden(holding: "checkpoint/config.json", "grads_pooler.safetensors"))
    func towers(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let path = Paths.join(checkpoint, "config.json")
        let configuration = try VisionFamily.read(ConfigurationReader(json: try JSON.read(path), source: path))
        try roundTrip(VisionTower(configuration, initializer), checkpoint, .vision(patchSize: configuration.patchSize))
    }

    @Test(arguments: Fixtures.golden(holding: "checkpoint/model.safetensors", "samples.json"))
    func llava(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let family = try ModelFamily.read(checkpoint)
        let model = VisionLanguageModel(family.configuration, initializer)
        try roundTrip(model, checkpoint, family.table)
        let before = model.parameters.entries.map { $0.parameter.value.floats }
        let other = Paths.join(folder, "checkpoint-v5-names")
        if Files.exists(other) {
            #expect(try ModelFamily.read(other).configuration == family.configuration)
            let fresh = VisionLanguageModel(family.configuration, initializer)
            try fresh.parameters.load(from: try TensorFolder(other), table: family.table)
            #expect(fresh.parameters.entries.map { $0.parameter.value.floats } == before)
        }
    }
}
