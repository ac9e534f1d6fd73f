import Basics
import Checkpointing
import TensorCore

extension ModelFamily {
    /// `LlavaForConditionalGeneration`, `LlavaNextForConditionalGeneration`, and this project's own combinations.
    static func llava(_ reader: ConfigurationReader) throws -> ModelFamily {
        let isNext = try reader.string("model_type") == "llava_next"
        let visionPart = try reader.part("vision_config") ?? llavaTower(reader)
        let textPart = try reader.part("text_config") ?? reader.empty("text_config")
        var vision = try VisionFamily.read(visionPart)
        vision.hasPoolingHead = false
        var language = try DecoderFamily.read(textPart)
        let isOwn = try reader.string("model_type") == "vitrail"
        if language.family == .gpt2, !isOwn { throw textPart.unsupported("model_type", "\"gpt2\"") }
        language.tiesWordEmbeddings = try reader.bool(
            "tie_word_embeddings", textPart.bool("tie_word_embeddings", false))
        let projector = try self.projector(reader)
        let strategy = try reader.string("vision_feature_select_strategy") ?? "default"
        try reader.only("vision_feature_select_strategy", strategy, ["default", "full"])
        guard reader.json["vision_feature_layer"]?.array == nil else {
            throw reader.unsupported("vision_feature_layer", "a list")
        }
        let layer = reader.json["vision_feature_layer"]?.int ?? -2
        let features = VisionFeatures(
            layer: layer, appliesPostNorm: try reader.bool("vision_feature_post_norm", false),
            dropsClassToken: strategy == "default")
        try check(features, of: vision, isNext: isNext, reader)
        if isNext, projector != .mlp2xGelu { throw reader.unsupported("projector_type", projector.name) }
        let configuration = ModelConfiguration(
            vision: vision, features: features, projector: projector, language: language,
            layout: isNext ? .llavaNext : .llava)
        let image = reader.json["image_token_index"]?.int ?? reader.json["image_token_id"]?.int ?? 32_000
        return ModelFamily(
            configuration: configuration, table: table(configuration), imageTokenID: Int32(clamping: image),
            published: reader.json)
    }

    /// The tower that LLaVA's configuration class assumes: CLIP-L/14 of 336 pixels.
    private static func llavaTower(_ reader: ConfigurationReader) -> ConfigurationReader {
        ConfigurationReader(
            json: [
                "model_type": "clip_vision_model", "intermediate_size": 4_096, "hidden_size": 1_024, "patch_size": 14,
                "image_size": 336, "num_hidden_layers": 24, "num_attention_heads": 16,
            ], source: "\(reader.source): vision_config")
    }

    private static func check(
        _ features: VisionFeatures, of vision: VisionConfiguration, isNext: Bool, _ reader: ConfigurationReader
    ) throws {
        guard (0...vision.layers).contains(features.blockCount(of: vision.layers)) else {
            throw reader.unsupported("vision_feature_layer", "\(features.layer) of \(vision.layers) layers")
        }
        if features.dropsClassToken, !vision.hasClassToken {
            throw reader.unsupported("vision_feature_select_strategy", "\"default\" of a tower without class token")
        }
        if isNext, !features.dropsClassToken, vision.hasClassToken {
            throw reader.unsupported("vision_feature_select_strategy", "\"full\" of tiles with a class token")
        }
    }

    private static func projector(_ reader: ConfigurationReader) throws -> ProjectorConfiguration {
        let name = try reader.string("projector_type") ?? ProjectorConfiguration.mlp2xGelu.name
        guard let kind = ProjectorConfiguration.Kind(rawValue: name) else {
            throw reader.unsupported("projector_type", "\"\(name)\"")
        }
        if kind == .mlp2xGelu {
            try reader.only("projector_hidden_act", try reader.string("projector_hidden_act") ?? "gelu", ["gelu"])
            try reader.only("multimodal_projector_bias", try reader.bool("multimodal_projector_bias", true), [true])
        }
        return ProjectorConfiguration(kind, shuffleFactor: max(1, try reader.int("pixel_shuffle_factor", 2)))
    }
}
