import Basics
import NeuralNetwork
import TensorCore

/// The decoder families: which defaults a missing key has, and which flags the architecture sets.
public enum DecoderFamily: String, Sendable, CaseIterable {
    case llama
    case mistral
    case qwen2
    case qwen3

    /// `architectures` of the language model alone.
    var architecture: String {
        switch self {
        case .llama: "LlamaForCausalLM"
        case .mistral: "MistralForCausalLM"
        case .qwen2: "Qwen2ForCausalLM"
        case .qwen3: "Qwen3ForCausalLM"
        }
    }

    /// Reads a text configuration with the defaults of the family's class in `transformers`.
    package static func read(_ reader: ConfigurationReader) throws -> DecoderConfiguration {
        let name = try reader.string("model_type") ?? "llama"
        guard let family = DecoderFamily(rawValue: name) else { throw reader.unsupported("model_type", "\"\(name)\"") }
        return try family.configuration(reader)
    }

    private func configuration(_ reader: ConfigurationReader) throws -> DecoderConfiguration {
        let hidden = try reader.int("hidden_size", 4_096)
        let layers = try reader.int("num_hidden_layers", 32)
        let heads = try reader.int("num_attention_heads", 32)
        let keyValueFallback =
            switch self {
            case .llama: heads
            case .mistral: 8
            case .qwen2, .qwen3: 32
            }
        let intermediate =
            switch self {
            case .llama: 11_008
            case .mistral: 14_336
            case .qwen2, .qwen3: 22_016
            }
        let vocabulary =
            switch self {
            case .llama, .mistral: 32_000
            case .qwen2, .qwen3: 151_936
            }
        let keyValueHeads = try reader.int("num_key_value_heads", keyValueFallback)
        let size = (
            inner: try reader.int("intermediate_size", intermediate), words: try reader.int("vocab_size", vocabulary)
        )
        guard size.inner > 0 else { throw reader.unsupported("intermediate_size", "0") }
        guard size.words > 0 else { throw reader.unsupported("vocab_size", "0") }
        guard hidden > 0, layers >= 0, heads > 0, keyValueHeads > 0, heads % keyValueHeads == 0 else {
            throw UserError(
                "\(reader.source): \(heads) heads over \(keyValueHeads) key-value heads of width \(hidden) do not divide",
                fix: "correct the configuration")
        }
        let width = try reader.int("head_dim", self == .qwen3 ? 128 : hidden / heads)
        guard width > 0, width % 2 == 0 else { throw reader.unsupported("head_dim", "\(width)") }
        let attentionBias = try reader.bool("attention_bias", false)
        let positions = try reader.int(
            "max_position_embeddings", self == .mistral ? 131_072 : self == .llama ? 2_048 : 32_768, most: 1 << 40)
        let rope = try RotaryReader.read(reader, headWidth: width, positions: positions)
        return DecoderConfiguration(
            hiddenSize: hidden, intermediateSize: size.inner, layers: layers,
            attentionHeads: heads, keyValueHeads: keyValueHeads, headWidth: width,
            vocabularySize: size.words,
            normEpsilon: try reader.epsilon("rms_norm_eps", 1e-6), ropeTheta: rope.theta,
            ropeScaling: rope.scaling, maximumPositions: positions,
            tiesWordEmbeddings: try reader.bool("tie_word_embeddings", false),
            hasQueryKeyValueBias: self == .qwen2 || attentionBias, hasOutputBias: self != .qwen2 && attentionBias,
            hasFeedForwardBias: try reader.bool("mlp_bias", false), hasQueryKeyNorm: self == .qwen3,
            activation: try reader.activation("hidden_act", .silu),
            paddingTokenID: reader.json["pad_token_id"]?.int.map { Int32(clamping: $0) }, family: self,
            slidingWindow: try window(reader, layers: layers, positions: positions))
    }

    /// The sliding window, where there is one that is shorter than the positions.
    private func window(_ reader: ConfigurationReader, layers: Int, positions: Int) throws -> SlidingWindow? {
        let kinds = try reader.strings("layer_types")
        if let kind = kinds.first(where: { !["full_attention", "sliding_attention"].contains($0) }) {
            throw reader.unsupported("layer_types", "\"\(kind)\"")
        }
        let isSet = reader.json["sliding_window"] != nil
        let tokens = try reader.int("sliding_window", isSet && self == .mistral ? 0 : 4_096, most: 1 << 40)
        var first = 0
        switch self {
        case .llama: return nil
        case .mistral: break
        case .qwen2, .qwen3:
            guard try reader.bool("use_sliding_window", false) else { return nil }
            first = try reader.int("max_window_layers", 28)
            if !kinds.isEmpty { first = kinds.firstIndex(of: "sliding_attention") ?? layers }
            if kinds.dropFirst(first).contains("full_attention") {
                throw reader.unsupported("layer_types", "full attention behind sliding attention")
            }
        }
        guard tokens > 0, tokens < positions, first < layers else { return nil }
        return SlidingWindow(tokens: tokens, firstLayer: first)
    }

    /// The text configuration as `transformers` writes it.
    func json(_ configuration: DecoderConfiguration) -> JSONObject {
        var object: JSONObject = [
            "architectures": [.string(architecture)], "model_type": .string(rawValue),
            "hidden_size": .int(configuration.hiddenSize), "intermediate_size": .int(configuration.intermediateSize),
            "num_hidden_layers": .int(configuration.layers), "num_attention_heads": .int(configuration.attentionHeads),
            "num_key_value_heads": .int(configuration.keyValueHeads), "head_dim": .int(configuration.headWidth),
            "vocab_size": .int(configuration.vocabularySize),
            "rms_norm_eps": .number(Double("\(configuration.normEpsilon)") ?? Double(configuration.normEpsilon)),
            "rope_theta": .number(configuration.ropeTheta),
            "rope_scaling": RotaryReader.json(configuration.ropeScaling),
            "max_position_embeddings": .int(configuration.maximumPositions),
            "tie_word_embeddings": .bool(configuration.tiesWordEmbeddings),
            "attention_bias": .bool(configuration.hasQueryKeyValueBias && self != .qwen2),
            "mlp_bias": .bool(configuration.hasFeedForwardBias),
            "hidden_act": .string(configuration.activation.huggingFaceName),
            "torch_dtype": "float32",
        ]
        if self == .mistral { object["sliding_window"] = .null }
        if let window = configuration.slidingWindow {
            object["sliding_window"] = .int(window.tokens)
            object["use_sliding_window"] = true
            object["max_window_layers"] = .int(window.firstLayer)
        }
        if let padding = configuration.paddingTokenID { object["pad_token_id"] = .integer(Int64(padding)) }
        return object
    }
}
