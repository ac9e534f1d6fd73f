import Basics
import Checkpointing
import TensorCore

extension ModelFamily {
    /// `PaliGemmaForConditionalGeneration` (Beyer et al. 2024): SigLIP, one linear map, Gemma, prefix attention.
    static func paliGemma(_ reader: ConfigurationReader) throws -> ModelFamily {
        func part(_ key: String, _ family: String, _ defaults: JSONObject) throws -> ConfigurationReader {
            guard let given = try reader.part(key) else {
                return ConfigurationReader(json: .object(defaults), source: "\(reader.source): \(key)")
            }
            var object = given.json.object ?? [:]
            if object["model_type"] == nil { object["model_type"] = .string(family) }
            return ConfigurationReader(json: .object(object), source: given.source)
        }
        let visionPart = try part(
            "vision_config", "siglip_vision_model",
            [
                "model_type": "siglip_vision_model", "intermediate_size": 4_096, "hidden_size": 1_152, "patch_size": 14,
                "image_size": 224, "num_hidden_layers": 27, "num_attention_heads": 16,
            ])
        let textPart = try part(
            "text_config", "gemma",
            [
                "model_type": "gemma", "hidden_size": 2_048, "num_hidden_layers": 18, "intermediate_size": 16_384,
                "num_attention_heads": 8, "num_key_value_heads": 1, "vocab_size": 257_152,
            ])
        try textPart.only("model_type", try textPart.string("model_type"), ["gemma"])
        try textPart.only(
            "use_bidirectional_attention", try textPart.bool("use_bidirectional_attention", true), [true])
        var vision = try VisionFamily.read(visionPart)
        vision.hasPoolingHead = false
        guard !vision.hasClassToken else { throw visionPart.unsupported("model_type", "a tower with a class token") }
        var language = try DecoderFamily.read(textPart)
        language.tiesWordEmbeddings = try reader.bool("tie_word_embeddings", true)
        let columns = try reader.int("projection_dim", 2_048)
        guard columns == language.hiddenSize else {
            throw reader.unsupported("projection_dim", "\(columns) for a decoder of width \(language.hiddenSize)")
        }
        let configuration = ModelConfiguration(
            vision: vision, features: VisionFeatures(layer: -1, appliesPostNorm: true), projector: .linear,
            language: language, layout: .paliGemma)
        let image = reader.json["image_token_index"]?.int ?? reader.json["image_token_id"]?.int ?? 256_000
        return ModelFamily(
            configuration: configuration, table: table(configuration), imageTokenID: Int32(clamping: image),
            published: reader.json)
    }

    /// What `transformers` writes for it.
    static func paliGemmaJSON(
        _ configuration: ModelConfiguration, vision: JSONObject, text: JSONObject, imageTokenID: Int32, dtype: String
    ) -> JSON {
        var tower = vision
        tower["vision_use_head"] = false
        tower["projection_dim"] = .int(configuration.language.hiddenSize)
        return [
            "architectures": ["PaliGemmaForConditionalGeneration"], "model_type": "paligemma",
            "image_token_index": .integer(Int64(imageTokenID)),
            "projection_dim": .int(configuration.language.hiddenSize),
            "hidden_size": .int(configuration.language.hiddenSize),
            "vocab_size": .int(configuration.language.vocabularySize),
            "tie_word_embeddings": .bool(configuration.language.tiesWordEmbeddings), "torch_dtype": .string(dtype),
            "vision_config": .object(tower), "text_config": .object(text),
        ]
    }
}
