extension KeyTable {
    /// Keys of `LlamaForCausalLM`, `MistralForCausalLM`, `Qwen2ForCausalLM`, `Qwen3ForCausalLM` and SmolLM2.
    ///
    /// The decoder without its head (`LlamaModel`, saved without `model.`) is read too.
    public static let llama = KeyTable(
        [
            KeyRule("model.embed_tokens.weight", "embedding"),
            KeyRule("model.layers.{n}.input_layernorm", "layers.{n}.norm1"),
            KeyRule("model.layers.{n}.self_attn.q_proj", "layers.{n}.attention.query"),
            KeyRule("model.layers.{n}.self_attn.k_proj", "layers.{n}.attention.key"),
            KeyRule("model.layers.{n}.self_attn.v_proj", "layers.{n}.attention.value"),
            KeyRule("model.layers.{n}.self_attn.o_proj", "layers.{n}.attention.output"),
            KeyRule("model.layers.{n}.self_attn.q_norm", "layers.{n}.attention.queryNorm"),
            KeyRule("model.layers.{n}.self_attn.k_norm", "layers.{n}.attention.keyNorm"),
            KeyRule("model.layers.{n}.post_attention_layernorm", "layers.{n}.norm2"),
            KeyRule("model.layers.{n}.mlp.gate_proj", "layers.{n}.feedForward.gate"),
            KeyRule("model.layers.{n}.mlp.up_proj", "layers.{n}.feedForward.up"),
            KeyRule("model.layers.{n}.mlp.down_proj", "layers.{n}.feedForward.down"),
            KeyRule("model.norm", "norm"),
            KeyRule("lm_head", "head"),
        ],
        aliases: [("", "model.")],
        ignored: [
            IgnoredKey("model.layers.{n}.self_attn.rotary_emb.inv_freq", because: "computed from the configuration"),
            IgnoredKey("model.rotary_emb.inv_freq", because: "computed from the configuration"),
        ],
        ties: [TiedKey("lm_head.weight", to: "model.embed_tokens.weight")])

    /// Keys of `GPT2LMHeadModel`, whose maps are `Conv1D`: `[inputs, outputs]`, with query, key and value in one.
    ///
    /// The files of the first release leave `transformer.` out.
    public static let gpt2 = KeyTable(
        [
            KeyRule("transformer.wte.weight", "embedding"),
            KeyRule("transformer.wpe.weight", "positions"),
            KeyRule("transformer.h.{n}.ln_1", "layers.{n}.norm1"),
            KeyRule(
                "transformer.h.{n}.attn.c_attn",
                ["layers.{n}.attention.query", "layers.{n}.attention.key", "layers.{n}.attention.value"], .transposed),
            KeyRule("transformer.h.{n}.attn.c_proj", "layers.{n}.attention.output", .transposed),
            KeyRule("transformer.h.{n}.ln_2", "layers.{n}.norm2"),
            KeyRule("transformer.h.{n}.mlp.c_fc", "layers.{n}.feedForward.first", .transposed),
            KeyRule("transformer.h.{n}.mlp.c_proj", "layers.{n}.feedForward.second", .transposed),
            KeyRule("transformer.ln_f", "norm"),
            KeyRule("lm_head", "head"),
        ],
        aliases: [("", "transformer.")],
        ignored: ["attn.bias", "attn.masked_bias"].map {
            IgnoredKey("transformer.h.{n}.\($0)", because: "the causal mask, a constant")
        },
        ties: [TiedKey("lm_head.weight", to: "transformer.wte.weight")])

    /// Keys of the decoder in nanoVLM's own folders (github.com/huggingface/nanoVLM, models/language_model.py).
    static let nanoVLMDecoder = KeyTable(
        [
            KeyRule("token_embedding.weight", "embedding"),
            KeyRule("blocks.{n}.norm1", "layers.{n}.norm1"),
            KeyRule("blocks.{n}.attn.q_proj", "layers.{n}.attention.query"),
            KeyRule("blocks.{n}.attn.k_proj", "layers.{n}.attention.key"),
            KeyRule("blocks.{n}.attn.v_proj", "layers.{n}.attention.value"),
            KeyRule("blocks.{n}.attn.out_proj", "layers.{n}.attention.output"),
            KeyRule("blocks.{n}.norm2", "layers.{n}.norm2"),
            KeyRule("blocks.{n}.mlp.gate_proj", "layers.{n}.feedForward.gate"),
            KeyRule("blocks.{n}.mlp.up_proj", "layers.{n}.feedForward.up"),
            KeyRule("blocks.{n}.mlp.down_proj", "layers.{n}.feedForward.down"),
            KeyRule("norm", "norm"),
            KeyRule("head", "head"),
        ],
        ignored: [IgnoredKey("rotary_embd.inv_freq", because: "computed from the configuration")],
        ties: [TiedKey("head.weight", to: "token_embedding.weight")])
}
