import Checkpointing

extension DecoderFamily {
    /// Keys of Llama-like decoders, below `model.`; the head stands beside it.
    static func table(ties: Bool) -> KeyTable {
        let block = "model.layers.{n}."
        return KeyTable(
            [
                KeyRule("model.embed_tokens.weight", "embedding"),
                KeyRule(block + "input_layernorm", "layers.{n}.norm1"),
                KeyRule(block + "self_attn.q_proj", "layers.{n}.attention.query"),
                KeyRule(block + "self_attn.k_proj", "layers.{n}.attention.key"),
                KeyRule(block + "self_attn.v_proj", "layers.{n}.attention.value"),
                KeyRule(block + "self_attn.o_proj", "layers.{n}.attention.output"),
                KeyRule(block + "self_attn.q_norm", "layers.{n}.attention.queryNorm"),
                KeyRule(block + "self_attn.k_norm", "layers.{n}.attention.keyNorm"),
                KeyRule(block + "post_attention_layernorm", "layers.{n}.norm2"),
                KeyRule(block + "mlp.gate_proj", "layers.{n}.feedForward.gate"),
                KeyRule(block + "mlp.up_proj", "layers.{n}.feedForward.up"),
                KeyRule(block + "mlp.down_proj", "layers.{n}.feedForward.down"),
                KeyRule("model.norm", "norm"), KeyRule("lm_head", "head"),
            ],
            ignored: [
                IgnoredKey(block + "self_attn.rotary_emb.inv_freq", because: "computed from rope_theta")
            ],
            ties: ties ? [TiedKey("lm_head.weight", to: "model.embed_tokens.weight")] : [])
    }
}
