import Basics
package import Checkpointing
import TensorCore

/// What a model folder is: the configuration read from `config.json`, and the keys of its weights.
package struct ModelFamily {
    package let configuration: ModelConfiguration
    package let table: KeyTable
    /// The placeholder's id, for models with a tower.
    let imageTokenID: Int32?

    /// Reads `config.json`. A decoder alone, a LLaVA in Hugging Face's layout, or this project's own combination of parts.
    package static func read(_ folder: String) throws -> ModelFamily {
        let path = Paths.join(folder, "config.json")
        guard Files.exists(path) else {
            throw UserError(
                "\(folder): no config.json", fix: "name a model folder in Hugging Face layout, such as Models/pebble")
        }
        let reader = ConfigurationReader(json: try JSON.read(path), source: path)
        let name = try reader.string("model_type") ?? ""
        switch name {
        case "llava", "vitrail": return try multimodal(reader)
        case let name where DecoderFamily(rawValue: name) != nil:
            let language = try DecoderFamily.read(reader)
            return ModelFamily(
                configuration: ModelConfiguration(
                    vision: nil, features: VisionFeatures(appliesPostNorm: false), projector: .linear,
                    language: language),
                table: .llama.prefixed(key: "", path: "language."),
                imageTokenID: nil)
        default: throw reader.unsupported("model_type", "\"\(name)\"")
        }
    }

    private static func multimodal(_ reader: ConfigurationReader) throws -> ModelFamily {
        guard let visionPart = try reader.part("vision_config"), let textPart = try reader.part("text_config") else {
            throw UserError(
                "\(reader.source): \"vision_config\" or \"text_config\" is missing", fix: "take the publisher's file")
        }
        var vision = try VisionFamily.read(visionPart)
        vision.hasPoolingHead = false
        var language = try DecoderFamily.read(textPart)
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
        guard (0...vision.layers).contains(features.blockCount(of: vision.layers)) else {
            throw reader.unsupported("vision_feature_layer", "\(layer) of \(vision.layers) layers")
        }
        if strategy == "default", !vision.hasClassToken {
            throw reader.unsupported("vision_feature_select_strategy", "\"default\" of a tower without class token")
        }
        let configuration = ModelConfiguration(
            vision: vision, features: features, projector: projector, language: language)
        let image = reader.json["image_token_index"]?.int ?? reader.json["image_token_id"]?.int ?? 32_000
        return ModelFamily(
            configuration: configuration, table: table(configuration), imageTokenID: Int32(clamping: image))
    }

    private static func projector(_ reader: ConfigurationReader) throws -> ProjectorConfiguration {
        switch try reader.string("projector_type") ?? "mlp2x_gelu" {
        case "linear": return .linear
        case "mlp2x_gelu":
            try reader.only("projector_hidden_act", try reader.string("projector_hidden_act") ?? "gelu", ["gelu"])
            try reader.only("multimodal_projector_bias", try reader.bool("multimodal_projector_bias", true), [true])
            return .mlp2xGelu
        case "pixel_shuffle": return .pixelShuffle(factor: max(1, try reader.int("pixel_shuffle_factor", 2)))
        case let name: throw reader.unsupported("projector_type", "\"\(name)\"")
        }
    }

    /// Keys of a decoder alone, or of a tower, a projector and a decoder as LLaVA's Hugging Face layout names them.
    static func table(_ configuration: ModelConfiguration) -> KeyTable {
        guard let vision = configuration.vision else { return .llama.prefixed(key: "", path: "language.") }
        return .llava(channels: vision.channels, patchSize: vision.patchSize)
    }

    /// `config.json` of a model, as `transformers` reads it where it knows the combination.
    static func json(
        _ configuration: ModelConfiguration, imageTokenID: Int32, imageTokens: Int, dtype: String = "float32"
    ) -> JSON {
        let family = DecoderFamily(configuration.language)
        var text = family.json(configuration.language)
        text["torch_dtype"] = .string(dtype)
        guard let vision = configuration.vision else { return .object(text) }
        var tower = VisionFamily(vision).json(vision)
        tower["torch_dtype"] = .string(dtype)
        let isLlava = configuration.projector == .mlp2xGelu && !configuration.features.appliesPostNorm
        var object: JSONObject = [
            "architectures": [isLlava ? "LlavaForConditionalGeneration" : "VitrailForConditionalGeneration"],
            "model_type": isLlava ? "llava" : "vitrail",
            "vision_config": .object(tower), "text_config": .object(text),
            "image_token_index": .integer(Int64(imageTokenID)), "image_seq_length": .int(imageTokens),
            "projector_hidden_act": "gelu", "multimodal_projector_bias": true,
            "vision_feature_layer": .int(configuration.features.layer),
            "vision_feature_select_strategy":
                .string(vision.hasClassToken && configuration.features.dropsClassToken ? "default" : "full"),
            "tie_word_embeddings": .bool(configuration.language.tiesWordEmbeddings), "torch_dtype": .string(dtype),
        ]
        if !isLlava {
            object["projector_type"] = .string(configuration.projector.name)
            object["vision_feature_post_norm"] = .bool(configuration.features.appliesPostNorm)
            if case .pixelShuffle(let factor) = configuration.projector {
                object["pixel_shuffle_factor"] = .int(factor)
            }
        }
        return .object(object)
    }
}
