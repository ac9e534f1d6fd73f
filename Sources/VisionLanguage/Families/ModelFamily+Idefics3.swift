import Basics
import Checkpointing
import TensorCore

extension ModelFamily {
    /// `Idefics3ForConditionalGeneration` and `SmolVLMForConditionalGeneration` (Laurençon et al. 2024; Marafioti et al. 2025).
    static func idefics3(_ reader: ConfigurationReader) throws -> ModelFamily {
        let isSmol = try reader.string("model_type") == "smolvlm"
        let vision = try VisionFamily.read(
            reader.part("vision_config") ?? reader.empty("vision_config"), fallback: isSmol ? .smolVLM : .idefics3)
        // Only a part that is left out altogether has another ε than Llama's own.
        let textPart =
            try reader.part("text_config")
            ?? ConfigurationReader(json: ["rms_norm_eps": 1e-5], source: "\(reader.source): text_config")
        for flag in ["qk_layer_norms", "use_resampler"] {
            try textPart.only(flag, try textPart.bool(flag, false), [false])
        }
        var language = try DecoderFamily.read(textPart)
        if language.family == .gpt2 { throw textPart.unsupported("model_type", "\"gpt2\"") }
        language.tiesWordEmbeddings = try reader.bool("tie_word_embeddings", false)
        let factor = try reader.int("scale_factor", 2)
        guard factor > 0, vision.gridSize % factor == 0 else {
            throw reader.unsupported("scale_factor", "\(factor) of \(vision.gridSize) patches a side")
        }
        let configuration = ModelConfiguration(
            vision: vision, features: VisionFeatures(layer: -1, appliesPostNorm: true),
            projector: .pixelShuffle(factor: factor), language: language, layout: isSmol ? .smolVLM : .idefics3)
        return ModelFamily(
            configuration: configuration, table: table(configuration),
            imageTokenID: Int32(clamping: try reader.int("image_token_id", 128_257)), published: reader.json)
    }

    /// What `transformers` writes for them.
    static func idefics3JSON(
        _ configuration: ModelConfiguration, vision: JSONObject, text: JSONObject, imageTokenID: Int32, dtype: String
    ) -> JSON {
        let isSmol = configuration.layout == .smolVLM
        var tower = vision
        tower["model_type"] = isSmol ? "smolvlm_vision" : "idefics3_vision"
        tower["architectures"] = nil
        tower["vision_use_head"] = nil
        var object: JSONObject = [
            "architectures": [isSmol ? "SmolVLMForConditionalGeneration" : "Idefics3ForConditionalGeneration"],
            "model_type": isSmol ? "smolvlm" : "idefics3",
            "image_token_id": .integer(Int64(imageTokenID)), "scale_factor": 2,
            "tie_word_embeddings": .bool(configuration.language.tiesWordEmbeddings), "torch_dtype": .string(dtype),
            "vision_config": .object(tower), "text_config": .object(text),
        ]
        if case .pixelShuffle(let factor) = configuration.projector { object["scale_factor"] = .int(factor) }
        if let padding = configuration.language.paddingTokenID { object["pad_token_id"] = .integer(Int64(padding)) }
        return .object(object)
    }
}
