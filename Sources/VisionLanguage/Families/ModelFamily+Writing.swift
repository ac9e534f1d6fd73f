import Basics
import TensorCore

extension ModelFamily {
    /// `config.json` of a model, as `transformers` (or nanoVLM) reads it where it knows the combination.
    ///
    /// - Parameters:
    ///   - pinpoints: sizes of LLaVA-NeXT's `anyres`, `[height, width]` each.
    ///   - published: the file that the model came with.
    static func json(
        _ configuration: ModelConfiguration, imageTokenID: Int32, imageTokens: Int, pinpoints: JSON? = nil,
        published: JSON = .null, dtype: String = "float32"
    ) -> JSON {
        var text = configuration.language.family.json(configuration.language)
        text["torch_dtype"] = .string(dtype)
        guard let vision = configuration.vision else { return .object(text) }
        var tower = VisionFamily(vision).json(vision)
        tower["torch_dtype"] = .string(dtype)
        switch configuration.layout {
        case .idefics3, .smolVLM:
            return idefics3JSON(configuration, vision: tower, text: text, imageTokenID: imageTokenID, dtype: dtype)
        case .paliGemma:
            return paliGemmaJSON(configuration, vision: tower, text: text, imageTokenID: imageTokenID, dtype: dtype)
        case .nanoVLM: return nanoVLMJSON(configuration, published: published)
        case .decoder, .llava, .llavaNext: break
        }
        let isNext = configuration.layout == .llavaNext
        let isLlava =
            configuration.projector == .mlp2xGelu && !configuration.features.appliesPostNorm
            && configuration.language.family != .gpt2
        let name = isNext ? "LlavaNext" : isLlava ? "Llava" : "Vitrail"
        var object: JSONObject = [
            "architectures": [.string(name + "ForConditionalGeneration")],
            "model_type": isNext ? "llava_next" : isLlava ? "llava" : "vitrail",
            "vision_config": .object(tower), "text_config": .object(text),
            "image_token_index": .integer(Int64(imageTokenID)), "image_seq_length": .int(imageTokens),
            "projector_hidden_act": "gelu", "multimodal_projector_bias": true,
            "vision_feature_layer": .int(configuration.features.layer),
            "vision_feature_select_strategy":
                .string(vision.hasClassToken && configuration.features.dropsClassToken ? "default" : "full"),
            "tie_word_embeddings": .bool(configuration.language.tiesWordEmbeddings), "torch_dtype": .string(dtype),
        ]
        if isNext, let pinpoints { object["image_grid_pinpoints"] = pinpoints }
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
