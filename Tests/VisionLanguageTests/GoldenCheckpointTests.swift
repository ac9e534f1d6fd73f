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
    private static func sizes(_ path: String) throws -> JSON { try JSON.read(path) }

    private static func decoder(_ json: JSON, tied: Bool) -> DecoderConfiguration {
        let qwen2 = json["model_type"]?.string == "qwen2"
        return DecoderConfiguration(
            hiddenSize: json["hidden_size"]?.int ?? 0, intermediateSize: json["intermediate_size"]?.int ?? 0,
            layers: json["num_hidden_layers"]?.int ?? 0, attentionHeads: json["num_attention_heads"]?.int ?? 0,
            keyValueHeads: json["num_key_value_heads"]?.int ?? 0, headWidth: json["head_dim"]?.int,
            vocabularySize: json["vocab_size"]?.int ?? 0, tiesWordEmbeddings: tied, hasQueryKeyValueBias: qwen2)
    }

    private static func tower(_ json: JSON, isCLIP: Bool, hasHead: Bool) -> VisionConfiguration {
        VisionConfiguration(
            hiddenSize: json["hidden_size"]?.int ?? 0, intermediateSize: json["intermediate_size"]?.int ?? 0,
            layers: json["num_hidden_layers"]?.int ?? 0, attentionHeads: json["num_attention_heads"]?.int ?? 0,
            imageSize: json["image_size"]?.int ?? 0, patchSize: json["patch_size"]?.int ?? 0, hasClassToken: isCLIP,
            hasPatchBias: !isCLIP, hasPreNorm: isCLIP, hasPoolingHead: hasHead)
    }

    /// Loads, saves, and compares every tensor's bytes with the original's.
    private func roundTrip(_ model: some ParameterNode, _ folder: String, _ table: KeyTable) throws {
        let original = try TensorFolder(folder)
        let tree = model.parameters
        #expect(
            tree.count == original.entries.filter { table.reasonToIgnore($0.name) == nil }.reduce(0) { $0 + $1.count })
        try tree.load(from: original, table: table)
        try Fixtures.withTemporaryFolder { target in
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

    @Test(arguments: Fixtures.golden("llama") + Fixtures.golden("qwen2"))
    func decoders(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let tied = try !TensorFolder(checkpoint).contains("lm_head.weight")
        let json = try Self.sizes(Paths.join(checkpoint, "config.json"))
        try roundTrip(Decoder(Self.decoder(json, tied: tied), initializer), checkpoint, .llama)
    }

    @Test(arguments: Fixtures.golden("vit-clip") + Fixtures.golden("vit-siglip"))
    func towers(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let json = try Self.sizes(Paths.join(checkpoint, "config.json"))
        let isCLIP = Paths.name(folder).hasPrefix("vit-clip")
        let configuration = Self.tower(json, isCLIP: isCLIP, hasHead: !isCLIP)
        try roundTrip(VisionTower(configuration, initializer), checkpoint, .vision(patchSize: configuration.patchSize))
    }

    @Test(arguments: Fixtures.golden("llava-"))
    func llava(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let json = try Self.sizes(Paths.join(checkpoint, "config.json"))
        let vision = Self.tower(try #require(json["vision_config"]), isCLIP: true, hasHead: false)
        let configuration = ModelConfiguration(
            vision: vision, features: VisionFeatures(layer: -2, appliesPostNorm: false), projector: .mlp2xGelu,
            language: Self.decoder(try #require(json["text_config"]), tied: false))
        let model = VisionLanguageModel(configuration, initializer)
        try roundTrip(model, checkpoint, .llava(patchSize: vision.patchSize))
        let before = model.parameters.entries.map { $0.parameter.value.floats }
        let other = Paths.join(folder, "checkpoint-v5-names")
        if Files.exists(other) {
            let fresh = VisionLanguageModel(configuration, initializer)
            try fresh.parameters.load(from: try TensorFolder(other), table: .llava(patchSize: vision.patchSize))
            #expect(fresh.parameters.entries.map { $0.parameter.value.floats } == before)
        }
    }
}
