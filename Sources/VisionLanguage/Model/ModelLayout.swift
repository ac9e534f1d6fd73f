/// Whose folder a model came from and is written as: it decides keys, `config.json`, and how pictures stand in the text.
public enum ModelLayout: String, Hashable, Sendable, CaseIterable {
    /// A language model alone, such as `LlamaForCausalLM`.
    case decoder
    /// `LlavaForConditionalGeneration`, and this project's own combinations of parts.
    case llava
    /// `LlavaNextForConditionalGeneration`: pictures in tiles, padding taken away, a learned vector behind each row.
    case llavaNext = "llava_next"
    /// `Idefics3ForConditionalGeneration`: pictures in tiles with row and column tokens between them.
    case idefics3
    /// `SmolVLMForConditionalGeneration`, which is Idefics3 by another name.
    case smolVLM = "smolvlm"
    /// `PaliGemmaForConditionalGeneration`: the tokens of picture and question all see each other.
    case paliGemma = "paligemma"
    /// A folder of github.com/huggingface/nanoVLM.
    case nanoVLM = "nanovlm"
}
