import Basics
import NeuralNetwork
import TestSupport
import Testing
import VisionLanguage

private let families = Paths.join(Paths.parent(#filePath), "Fixtures/families")

/// Configurations: values that change what a model computes are read, kept, or refused by name.
@Suite("Configurations")
struct ConfigurationTests {
    private static let decoder: JSONObject = [
        "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 4,
        "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 32, "max_position_embeddings": 512,
    ]

    private static let refused: [(String, JSON)] = [
        ("quantization_config", ["quant_method": "gptq"]), ("hidden_act", "mish"),
        ("model_type", "mamba"), ("partial_rotary_factor", 0.5), ("head_dim", 7),
        ("rope_scaling", ["rope_type": "longrope"]), ("rope_scaling", ["rope_type": "linear", "factor": 0.5]),
        ("rope_scaling", ["rope_type": "yarn", "factor": 2, "mscale": 1]), ("hidden_size", "wide"),
        ("rope_parameters", ["rope_type": "default", "partial_rotary_factor": 0.25]),
        ("rope_parameters", ["rope_type": "default", "rope_theta": 0]), ("rope_theta", -1),
        ("rope_scaling", ["rope_type": "yarn", "factor": 2, "beta_fast": -1]),
        ("rope_scaling", ["rope_type": "llama3", "factor": 2, "low_freq_factor": 0]),
        ("rope_scaling", ["rope_type": "dynamic", "factor": 2, "original_max_position_embeddings": 0]),
        ("layer_types", ["linear_attention"]), ("layer_types", "full_attention"), ("rms_norm_eps", true),
    ]

    private func read(_ changes: JSONObject, of base: JSONObject = decoder) throws -> ModelConfiguration {
        var object = base
        for (key, value) in changes { object[key] = value }
        return try withTemporaryFolder { folder in
            try Files.write(JSON.object(object).serialized(), to: Paths.join(folder, "config.json"))
            return try ModelFamily.read(folder).configuration
        }
    }

    /// Each value is an error whose text names the key.
    @Test(arguments: refused)
    func refusedValues(key: String, value: JSON) throws {
        let error = #expect(throws: UserError.self) { try read([key: value]) }
        let inner = (value.object?.keys.map { $0 } ?? []) + ["quantised by gptq"]
        #expect(([key] + inner).contains { error?.problem.contains($0) == true }, "\(error?.problem ?? "")")
    }

    @Test func slidingWindows() throws {
        func window(_ changes: JSONObject) throws -> SlidingWindow? { try read(changes).language.slidingWindow }
        #expect(try window(["sliding_window": 8]) == nil)
        #expect(try window(["model_type": "mistral", "sliding_window": 8]) == SlidingWindow(tokens: 8))
        #expect(try window(["model_type": "mistral", "sliding_window": .null]) == nil)
        #expect(try window(["model_type": "mistral", "sliding_window": 512]) == SlidingWindow(tokens: 512))
        #expect(
            try window(["model_type": "mistral", "max_position_embeddings": 8_192]) == SlidingWindow(tokens: 4_096))
        #expect(try window(["model_type": "qwen2", "sliding_window": 8]) == nil)
        let set: JSONObject = ["model_type": "qwen2", "sliding_window": 8, "use_sliding_window": true]
        #expect(try window(set) == nil)  // Qwen's 28 first layers see everything
        var three = set
        three["max_window_layers"] = 3
        three["num_hidden_layers"] = 5
        #expect(try window(three) == SlidingWindow(tokens: 8, layers: [3, 4]))
        three["layer_types"] = .array(
            ["full_attention", "sliding_attention", "full_attention", "full_attention", "sliding_attention"])
        #expect(try window(three) == SlidingWindow(tokens: 8, layers: [1, 4]))
        three["num_hidden_layers"] = 4
        #expect(throws: UserError.self) { try window(three) }
    }

    /// A tower's families have the defaults of their classes in transformers.
    @Test func towerDefaults() throws {
        func tower(_ name: String) throws -> VisionConfiguration {
            try VisionFamily.read(ConfigurationReader(json: ["model_type": .string(name)], source: "config"))
        }
        let idefics = try tower("idefics3_vision")
        #expect(idefics.hiddenSize == 1_152 && idefics.patchSize == 32 && idefics.attentionHeads == 16)
        #expect(idefics.positionRule == .bucketed && !idefics.hasPoolingHead && idefics.hasPatchBias)
        let siglip = try tower("siglip_vision_model")
        #expect(siglip.hiddenSize == 768 && siglip.patchSize == 16 && siglip.positionRule == .resampled)
    }

    /// nanoVLM's flat file.
    @Test func nanoVLM() throws {
        let base: JSONObject = [
            "vit_hidden_dim": 32, "vit_inter_dim": 64, "vit_patch_size": 8, "vit_img_size": 32, "vit_n_heads": 2,
            "vit_n_blocks": 3, "lm_hidden_dim": 48, "lm_inter_dim": 96, "lm_vocab_size": 100, "lm_n_heads": 4,
            "lm_n_kv_heads": 2, "lm_n_blocks": 2, "mp_pixel_shuffle_factor": 2, "max_img_size": 64,
        ]
        let configuration = try read([:], of: base)
        #expect(configuration.layout == .nanoVLM && configuration.projector == .pixelShuffle(factor: 2))
        #expect(configuration.language.ropeTheta == 100_000 && configuration.language.tiesWordEmbeddings)
        #expect(configuration.features.appliesPostNorm && configuration.visualTokenCount(height: 32, width: 32) == 4)
        for key in ["lm_hidden_dim", "lm_inter_dim", "lm_vocab_size", "lm_re_base", "vit_inter_dim"] {
            #expect(throws: UserError.self, "\(key) of 0") { try read([key: 0], of: base) }
        }
    }

    /// LLaVA's own layout without its tower says where to get it.
    @Test func missingTower() throws {
        let error = #expect(throws: UserError.self) {
            try read(["model_type": "llava_llama", "mm_vision_tower": "openai/clip-vit-large-patch14-336"])
        }
        #expect(error?.problem.contains("mm_vision_tower") == true)
        #expect(error?.fix?.contains("hf download openai/clip-vit-large-patch14-336") == true)
    }

    /// A processor and a network that do not fit are refused, with both named.
    @Test func mismatchedProcessor() throws {
        let source = Paths.join(families, "llava_next")
        try withTemporaryFolder { folder in
            for name in try Files.list(source) where name != "preprocessor_config.json" {
                try Files.write(Files.read(Paths.join(source, name)), to: Paths.join(folder, name))
            }
            try Files.write(
                #"{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 16}, "crop_size": 16}"#,
                to: Paths.join(folder, "preprocessor_config.json"))
            let error = #expect(throws: UserError.self) {
                try ModelBundle.open(folder, on: TestBackend.cpu.make())
            }
            #expect(error?.problem.contains("LlavaNextImageProcessor") == true)
        }
    }
}
