import Basics
import Checkpointing
import NeuralNetwork
import TensorCore

extension ModelFamily {
    /// nanoVLM's flat `config.json` (github.com/huggingface/nanoVLM, models/config.py), of today's and of older versions.
    static func nanoVLM(_ reader: ConfigurationReader) throws -> ModelFamily {
        let hidden = try reader.required("vit_hidden_dim")
        let heads = try reader.int("vit_n_heads", 12)
        let vision = VisionConfiguration(
            hiddenSize: hidden, intermediateSize: try reader.int("vit_inter_dim", 4 * hidden),
            layers: try reader.int("vit_n_blocks", 12), attentionHeads: heads,
            imageSize: try reader.int("vit_img_size", 512), patchSize: try reader.int("vit_patch_size", 16),
            normEpsilon: try reader.epsilon("vit_ln_eps", 1e-6))
        try VisionFamily.check(vision, reader)
        try reader.only("vit_cls_flag", try reader.bool("vit_cls_flag", false), [false])
        try reader.only("lm_attn_scaling", try reader.double("lm_attn_scaling", 1), [1])
        let width = try reader.required("lm_hidden_dim")
        let (queries, keys) = (try reader.int("lm_n_heads", 15), try reader.int("lm_n_kv_heads", 5))
        guard queries > 0, keys > 0, queries % keys == 0, width % queries == 0, width / queries % 2 == 0 else {
            throw UserError(
                "\(reader.source): \(queries) heads over \(keys) key-value heads of width \(width) do not divide",
                fix: "correct the configuration")
        }
        let (inner, words) = (try reader.int("lm_inter_dim", 2_560), try reader.required("lm_vocab_size"))
        guard width > 0, inner > 0, words > 0 else {
            throw UserError(
                "\(reader.source): width \(width), inner width \(inner), \(words) tokens: none may be 0",
                fix: "correct the configuration")
        }
        let language = DecoderConfiguration(
            hiddenSize: width, intermediateSize: inner,
            layers: try reader.int("lm_n_blocks", 32), attentionHeads: queries, keyValueHeads: keys,
            vocabularySize: words,
            normEpsilon: try reader.epsilon("lm_rms_eps", 1e-5),
            ropeTheta: try reader.positive("lm_re_base", 100_000),
            maximumPositions: try reader.int("lm_max_position_embeddings", 8_192, most: 1 << 40),
            tiesWordEmbeddings: try reader.bool("lm_tie_weights", true))
        let factor = try reader.int("mp_pixel_shuffle_factor", 4)
        guard factor > 0, vision.gridSize % factor == 0 else {
            throw reader.unsupported("mp_pixel_shuffle_factor", "\(factor) of \(vision.gridSize) patches a side")
        }
        let configuration = ModelConfiguration(
            vision: vision, features: VisionFeatures(layer: -1, appliesPostNorm: true),
            projector: .pixelShuffle(factor: factor), language: language, layout: .nanoVLM)
        var pictures = PictureSettings()
        for (key, token) in reader.json["vlm_extra_tokens"]?.object ?? [:] { pictures.tokens[key] = token.string }
        if reader.json["max_img_size"]?.isNull == false {
            let side = try reader.int("max_img_size", 2_048)
            guard (vision.imageSize...16_384).contains(side), side % vision.imageSize == 0 else {
                throw reader.unsupported("max_img_size", "\(side) in tiles of \(vision.imageSize)")
            }
            pictures.maximumSide = side
            pictures.upscales = try reader.bool("resize_to_max_side_len", false)
        }
        return ModelFamily(
            configuration: configuration, table: table(configuration), imageTokenID: nil, published: reader.json,
            pictures: pictures)
    }

    /// What a family's own loader wants to find besides weights: nanoVLM's rotary frequencies.
    static func constants(_ configuration: ModelConfiguration) -> [(key: String, values: [Float])] {
        guard configuration.layout == .nanoVLM else { return [] }
        let width = configuration.language.headWidth
        let frequencies = RotaryEmbedding.frequencies(
            headWidth: width, theta: configuration.language.ropeTheta, scaling: .standard, length: 0)
        return [("decoder.rotary_embd.inv_freq", frequencies.inverse.map { Float($0) })]
    }

    /// The published file with what may have changed since.
    static func nanoVLMJSON(_ configuration: ModelConfiguration, published: JSON) -> JSON {
        var object = published.object ?? [:]
        let extra = (object["lm_vocab_size"]?.int ?? 0) - (object["lm_base_vocab_size"]?.int ?? 0)
        object["lm_vocab_size"] = .int(configuration.language.vocabularySize)
        if object["lm_base_vocab_size"] != nil {
            object["lm_base_vocab_size"] = .int(configuration.language.vocabularySize - extra)
        }
        object["vlm_load_backbone_weights"] = false
        return .object(object)
    }
}
