import Checkpointing

extension VisionFamily {
    /// Keys of CLIP's and SigLIP's towers without a prefix; older files have `vision_model.` before them.
    static func table(_ configuration: VisionConfiguration) -> KeyTable {
        let block = "encoder.layers.{n}."
        let patch = [-1, configuration.channels, configuration.patchSize, configuration.patchSize]
        let hidden = configuration.hiddenSize
        var rules = [
            KeyRule("embeddings.patch_embedding.weight", "patchEmbedding.weight", .shaped(patch)),
            KeyRule("embeddings.patch_embedding.bias", "patchEmbedding.bias"),
            KeyRule("embeddings.class_embedding", "classToken", .shaped([hidden])),
            KeyRule("embeddings.position_embedding.weight", "positions"),
            KeyRule("pre_layrnorm", "preNorm"),
            KeyRule(block + "layer_norm1", "layers.{n}.norm1"),
            KeyRule(block + "self_attn.q_proj", "layers.{n}.attention.query"),
            KeyRule(block + "self_attn.k_proj", "layers.{n}.attention.key"),
            KeyRule(block + "self_attn.v_proj", "layers.{n}.attention.value"),
            KeyRule(block + "self_attn.out_proj", "layers.{n}.attention.output"),
            KeyRule(block + "layer_norm2", "layers.{n}.norm2"),
            KeyRule(block + "mlp.fc1", "layers.{n}.feedForward.first"),
            KeyRule(block + "mlp.fc2", "layers.{n}.feedForward.second"),
            KeyRule("post_layernorm", "postNorm"),
        ]
        if configuration.hasPoolingHead {
            let parts = ["head.query", "head.key", "head.value"]
            rules += [
                KeyRule("head.probe", "head.probe", .shaped([1, 1, hidden])),
                KeyRule("head.attention.in_proj_weight", parts.map { $0 + ".weight" }),
                KeyRule("head.attention.in_proj_bias", parts.map { $0 + ".bias" }),
                KeyRule("head.attention.out_proj", "head.output"), KeyRule("head.layernorm", "head.norm"),
                KeyRule("head.mlp.fc1", "head.feedForward.first"),
                KeyRule("head.mlp.fc2", "head.feedForward.second"),
            ]
        }
        return KeyTable(
            rules, aliases: [(from: "vision_model.", to: "")],
            ignored: [IgnoredKey("embeddings.position_ids", because: "counts from 0")])
    }
}
