import Basics
import TensorCore

extension DecoderFamily {
    /// GPT-2's configuration (Radford et al. 2019): its own names, layer norms, learned positions, no gate.
    static func gpt2(_ reader: ConfigurationReader) throws -> DecoderConfiguration {
        for (flag, value) in [
            ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false), ("add_cross_attention", false),
        ] {
            try reader.only(flag, try reader.bool(flag, value), [value])
        }
        let hidden = try reader.int("n_embd", 768)
        let heads = try reader.int("n_head", 12)
        let positions = try reader.int("n_positions", 1_024)
        let words = try reader.int("vocab_size", 50_257)
        let inner = try reader.int("n_inner", 4 * hidden)
        guard hidden > 0, heads > 0, hidden % heads == 0, positions > 0, words > 0, inner > 0 else {
            throw UserError(
                "\(reader.source): width \(hidden), \(heads) heads, \(positions) positions, \(words) tokens do not fit",
                fix: "correct the configuration")
        }
        var configuration = DecoderConfiguration(
            hiddenSize: hidden, intermediateSize: inner, layers: try reader.int("n_layer", 12), attentionHeads: heads,
            keyValueHeads: heads, vocabularySize: words, normEpsilon: try reader.epsilon("layer_norm_epsilon", 1e-5),
            maximumPositions: positions, tiesWordEmbeddings: try reader.bool("tie_word_embeddings", true),
            hasQueryKeyValueBias: true, hasOutputBias: true, hasFeedForwardBias: true,
            activation: try reader.activation("activation_function", .geluTanh), family: .gpt2)
        configuration.norm = .layer
        configuration.hasGate = false
        configuration.hasLearnedPositions = true
        return configuration
    }

    /// GPT-2's configuration as `transformers` writes it.
    func gpt2JSON(_ configuration: DecoderConfiguration) -> JSONObject {
        [
            "architectures": [.string(architecture)], "model_type": .string(rawValue),
            "n_embd": .int(configuration.hiddenSize), "n_inner": .int(configuration.intermediateSize),
            "n_layer": .int(configuration.layers), "n_head": .int(configuration.attentionHeads),
            "n_positions": .int(configuration.maximumPositions), "vocab_size": .int(configuration.vocabularySize),
            "layer_norm_epsilon": .number(
                Double("\(configuration.normEpsilon)") ?? Double(configuration.normEpsilon)),
            "tie_word_embeddings": .bool(configuration.tiesWordEmbeddings),
            "activation_function":
                .string(
                    configuration.activation == .geluTanh ? "gelu_new" : configuration.activation.huggingFaceName),
            "torch_dtype": "float32",
        ]
    }
}
