extension KeyTable {
    /// Keys of `LlavaForConditionalGeneration`, `LlavaNextForConditionalGeneration` and `PaliGemmaForConditionalGeneration`.
    ///
    /// Written as published checkpoints have them (`language_model.model.…`, `vision_tower.vision_model.…`). Read as
    /// well: `model.language_model.…` with `lm_head` outside (transformers 4.52 and later in memory), and towers
    /// without `vision_model` (what transformers 5 saves).
    ///
    /// - Parameter decoder: keys of the decoder alone.
    public static func llava(channels: Int = 3, patchSize: Int, language decoder: KeyTable = .llama) -> KeyTable {
        var language = decoder.prefixed(key: "language_model.", path: "language.")
        language.aliases = []
        return tower(channels: channels, patchSize: patchSize)
            .prefixed(key: "vision_tower.vision_model.", path: "vision.") + language
            + KeyTable(
                [
                    KeyRule("multi_modal_projector.linear_1", "projector.first"),
                    KeyRule("multi_modal_projector.linear_2", "projector.second"),
                    KeyRule("multi_modal_projector.linear", "projector"),
                    KeyRule("image_newline", "projector.newline", .shaped([-1])),
                ],
                aliases: [
                    ("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."),
                    ("model.vision_tower.vision_model.", "vision_tower.vision_model."),
                    ("model.vision_tower.", "vision_tower.vision_model."),
                    ("vision_tower.", "vision_tower.vision_model."),
                    ("model.multi_modal_projector.", "multi_modal_projector."),
                    ("model.image_newline", "image_newline"),
                ],
                ignored: [
                    IgnoredKey(
                        "vision_tower.vision_model.head.**",
                        because: "the pooling head's result never reaches the projector")
                ])
    }

    /// Keys of LLaVA's original folders (`llava_llama`: github.com/haotian-liu/LLaVA, model/llava_arch.py).
    ///
    /// Versions 1.5 leave the tower out; versions 1.6 hold it.
    public static func originalLlava(channels: Int = 3, patchSize: Int) -> KeyTable {
        var language = llama.prefixed(key: "", path: "language.")
        language.aliases = []
        return language
            + tower(channels: channels, patchSize: patchSize)
            .prefixed(key: "model.vision_tower.vision_tower.vision_model.", path: "vision.")
            + KeyTable(
                [
                    KeyRule("model.mm_projector.0", "projector.first"),
                    KeyRule("model.mm_projector.2", "projector.second"),
                    KeyRule("model.mm_projector", "projector"),
                    KeyRule("model.image_newline", "projector.newline", .shaped([-1])),
                ],
                // `mm_projector.bin` of stage one, converted, may have lost its first part.
                aliases: [("mm_projector.", "model.mm_projector.")])
    }

    /// Keys of `Idefics3ForConditionalGeneration` and `SmolVLMForConditionalGeneration`.
    public static func idefics3(channels: Int = 3, patchSize: Int) -> KeyTable {
        var language = llama.prefixed(key: "", path: "language.")
        language.aliases = []
        // The decoder is `model.text_model` here where it is `model` in a language model alone.
        language.rules = language.rules.map { $0.replacingKeyPrefix("model.", "model.text_model.") }
        language.ignored = [
            IgnoredKey(
                "model.text_model.layers.{n}.self_attn.rotary_emb.inv_freq", because: "computed from the configuration"),
            IgnoredKey("model.text_model.rotary_emb.inv_freq", because: "computed from the configuration"),
        ]
        language.ties = [TiedKey("lm_head.weight", to: "model.text_model.embed_tokens.weight")]
        return tower(channels: channels, patchSize: patchSize).prefixed(key: "model.vision_model.", path: "vision.")
            + language + KeyTable([KeyRule("model.connector.modality_projection.proj", "projector")])
    }

    /// Keys of nanoVLM's own folders (github.com/huggingface/nanoVLM, models/vision_language_model.py).
    ///
    /// Its writer keeps one of two tied tensors under the name that sorts first, which is the head.
    /// - Parameter positions: Rows of the tower's position table.
    public static func nanoVLM(channels: Int = 3, patchSize: Int, positions: Int) -> KeyTable {
        nanoVLMTower(channels: channels, patchSize: patchSize, positions: positions)
            .prefixed(key: "vision_encoder.", path: "vision.")
            + nanoVLMDecoder.prefixed(key: "decoder.", path: "language.")
            + KeyTable([KeyRule("MP.proj", "projector")])
    }
}

extension KeyRule {
    /// The rule with another beginning of its key, where it has the one given.
    func replacingKeyPrefix(_ old: String, _ new: String) -> KeyRule {
        let text = key.parts.joined(separator: ".")
        guard text.hasPrefix(old) else { return self }
        return KeyRule(
            new + text.dropFirst(old.count), paths.map { $0.parts.joined(separator: ".") }, form)
    }
}
