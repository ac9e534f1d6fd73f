extension KeyTable {
    /// Keys of `CLIPVisionModel` and `SiglipVisionModel`, and of the vision half of `CLIPModel` and `SiglipModel`.
    ///
    /// Written with the prefix `vision_model.` of published checkpoints; transformers 5 saves without it, which is read
    /// too. The patch embedding is a convolution `[hidden, channels, patch, patch]` in files and a linear map over
    /// patches here, with the same elements in the same order.
    public static func vision(channels: Int = 3, patchSize: Int) -> KeyTable {
        tower(channels: channels, patchSize: patchSize).prefixed(key: "vision_model.", path: "")
            + KeyTable(
                [], aliases: [("", "vision_model.")],
                ignored: ["text_model.**", "logit_scale", "logit_bias", "text_projection.**", "visual_projection.**"]
                    .map {
                        IgnoredKey($0, because: "belongs to the text half, which a vision tower does not have")
                    })
    }

    /// The keys of both towers, without a prefix.
    static func tower(channels: Int, patchSize: Int) -> KeyTable {
        KeyTable(
            [
                KeyRule("embeddings.class_embedding", "classToken", .shaped([-1])),
                KeyRule(
                    "embeddings.patch_embedding.weight", "patchEmbedding.weight",
                    .shaped([-1, channels, patchSize, patchSize])),
                KeyRule("embeddings.patch_embedding.bias", "patchEmbedding.bias"),
                KeyRule("embeddings.position_embedding.weight", "positions"),
                KeyRule("pre_layrnorm", "preNorm"),  // the spelling of the original code
                KeyRule("encoder.layers.{n}.layer_norm1", "layers.{n}.norm1"),
                KeyRule("encoder.layers.{n}.self_attn.q_proj", "layers.{n}.attention.query"),
                KeyRule("encoder.layers.{n}.self_attn.k_proj", "layers.{n}.attention.key"),
                KeyRule("encoder.layers.{n}.self_attn.v_proj", "layers.{n}.attention.value"),
                KeyRule("encoder.layers.{n}.self_attn.out_proj", "layers.{n}.attention.output"),
                KeyRule("encoder.layers.{n}.layer_norm2", "layers.{n}.norm2"),
                KeyRule("encoder.layers.{n}.mlp.fc1", "layers.{n}.feedForward.first"),
                KeyRule("encoder.layers.{n}.mlp.fc2", "layers.{n}.feedForward.second"),
                KeyRule("post_layernorm", "postNorm"),
                KeyRule("head.probe", "head.probe", .shaped([1, 1, -1])),
                KeyRule(
                    "head.attention.in_proj_weight", ["head.query.weight", "head.key.weight", "head.value.weight"]),
                KeyRule("head.attention.in_proj_bias", ["head.query.bias", "head.key.bias", "head.value.bias"]),
                KeyRule("head.attention.out_proj", "head.output"),
                KeyRule("head.layernorm", "head.norm"),
                KeyRule("head.mlp.fc1", "head.feedForward.first"),
                KeyRule("head.mlp.fc2", "head.feedForward.second"),
            ],
            ignored: [IgnoredKey("embeddings.position_ids", because: "a constant of old versions")])
    }

    /// Keys of the tower in nanoVLM's own folders (github.com/huggingface/nanoVLM, models/vision_transformer.py).
    static func nanoVLMTower(channels: Int, patchSize: Int, positions: Int) -> KeyTable {
        KeyTable([
            KeyRule(
                "patch_embedding.conv.weight", "patchEmbedding.weight", .shaped([-1, channels, patchSize, patchSize])),
            KeyRule("patch_embedding.conv.bias", "patchEmbedding.bias"),
            KeyRule("patch_embedding.cls_token", "classToken", .shaped([1, 1, -1])),
            KeyRule("patch_embedding.position_embedding", "positions", .shaped([1, positions, -1])),
            KeyRule("blocks.{n}.ln1", "layers.{n}.norm1"),
            KeyRule(
                "blocks.{n}.attn.qkv_proj",
                ["layers.{n}.attention.query", "layers.{n}.attention.key", "layers.{n}.attention.value"]),
            KeyRule("blocks.{n}.attn.out_proj", "layers.{n}.attention.output"),
            KeyRule("blocks.{n}.ln2", "layers.{n}.norm2"),
            KeyRule("blocks.{n}.mlp.fc1", "layers.{n}.feedForward.first"),
            KeyRule("blocks.{n}.mlp.fc2", "layers.{n}.feedForward.second"),
            KeyRule("layer_norm", "postNorm"),
        ])
    }
}
