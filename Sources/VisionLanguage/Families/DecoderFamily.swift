import Basics
package import Checkpointing
import NeuralNetwork
import TensorCore

/// The decoder families: which defaults a missing key has, and which flags the architecture sets.
public enum DecoderFamily: String, Sendable, CaseIterable {
    case llama
    case mistral
    case qwen2
    case qwen3
    case gemma
    case gpt2

    /// `architectures` of the language model alone.
    var architecture: String {
        switch self {
        case .llama: "LlamaForCausalLM"
        case .mistral: "MistralForCausalLM"
        case .qwen2: "Qwen2ForCausalLM"
        case .qwen3: "Qwen3ForCausalLM"
        case .gemma: "GemmaForCausalLM"
        case .gpt2: "GPT2LMHeadModel"
        }
    }

    /// The keys of its weights.
    package var table: KeyTable { self == .gpt2 ? .gpt2 : .llama }

    /// Reads a text configuration with the defaults of the family's class in `transformers`.
    package static func read(_ reader: ConfigurationReader) throws -> DecoderConfiguration {
        let name = try reader.string("model_type") ?? "llama"
        guard let family = DecoderFamily(rawValue: name) else { throw reader.unsupported("model_type", "\"\(name)\"") }
        return try family == .gpt2 ? gpt2(reader) : family.configuration(reader)
    }

    private func configuration(_ reader: ConfigurationReader) throws -> DecoderConfiguration {
        let fallback = self.fallback
        let hidden = try reader.int("hidden_size", fallback.hidden)
        let layers = try reader.int("num_hidden_layers", fallback.layers)
        let heads = try reader.int("num_attention_heads", fallback.heads)
        let keyValueHeads = try reader.int("num_key_value_heads", fallback.keyValueHeads ?? heads)
        let size = (
            inner: try reader.int("intermediate_size", fallback.inner),
            words: try reader.int("vocab_size", fallback.vocabulary)
        )
        guard size.inner > 0 else { throw reader.unsupported("intermediate_size", "0") }
        guard size.words > 0 else { throw reader.unsupported("vocab_size", "0") }
        guard hidden > 0, layers >= 0, heads > 0, keyValueHeads > 0, heads % keyValueHeads == 0 else {
            throw UserError(
                "\(reader.source): \(heads) heads over \(keyValueHeads) key-value heads of width \(hidden) do not divide",
                fix: "correct the configuration")
        }
        let width = try reader.int("head_dim", fallback.headWidth ?? hidden / heads)
        guard width > 0, width % 2 == 0 else { throw reader.unsupported("head_dim", "\(width)") }
        let attentionBias = try reader.bool("attention_bias", false)
        let positions = try reader.int("max_position_embeddings", fallback.positions, most: 1 << 40)
        let rope = try RotaryReader.read(reader, positions: positions)
        var configuration = DecoderConfiguration(
            hiddenSize: hidden, intermediateSize: size.inner, layers: layers,
            attentionHeads: heads, keyValueHeads: keyValueHeads, headWidth: width,
            vocabularySize: size.words,
            normEpsilon: try reader.epsilon("rms_norm_eps", 1e-6), ropeTheta: rope.theta,
            ropeScaling: rope.scaling, maximumPositions: positions,
            tiesWordEmbeddings: try reader.bool("tie_word_embeddings", self == .gemma),
            hasQueryKeyValueBias: self == .qwen2 || attentionBias, hasOutputBias: self != .qwen2 && attentionBias,
            hasFeedForwardBias: try reader.bool("mlp_bias", false), hasQueryKeyNorm: self == .qwen3,
            activation: try reader.activation("hidden_act", .silu),
            paddingTokenID: reader.json["pad_token_id"]?.int.map { Int32(clamping: $0) }, family: self,
            slidingWindow: try window(reader, layers: layers))
        guard self == .gemma else { return configuration }
        configuration.norm = .rootMeanSquarePlusOne
        configuration.scalesEmbeddings = true
        // "gelu" of the first releases means its approximation, and the padding token is one unless said otherwise.
        configuration.activation = try reader.activation("hidden_act", .geluTanh)
        if configuration.activation == .gelu { configuration.activation = .geluTanh }
        if reader.json["pad_token_id"] == nil { configuration.paddingTokenID = 0 }
        return configuration
    }

    /// What the configuration's class assumes.
    private var fallback:
        (
            hidden: Int, layers: Int, heads: Int, keyValueHeads: Int?, headWidth: Int?, inner: Int, vocabulary: Int,
            positions: Int
        )
    {
        switch self {
        case .llama, .gpt2: (4_096, 32, 32, nil, nil, 11_008, 32_000, 2_048)
        case .mistral: (4_096, 32, 32, 8, nil, 14_336, 32_000, 131_072)
        case .qwen2: (4_096, 32, 32, 32, nil, 22_016, 151_936, 32_768)
        case .qwen3: (4_096, 32, 32, 32, 128, 22_016, 151_936, 32_768)
        case .gemma: (3_072, 28, 16, 16, 256, 24_576, 256_000, 8_192)
        }
    }

    /// The sliding window, where there is one: of all blocks (Mistral), of those from `max_window_layers` on, or as `layer_types` says.
    private func window(_ reader: ConfigurationReader, layers: Int) throws -> SlidingWindow? {
        let kinds = try reader.strings("layer_types")
        if let kind = kinds.first(where: { !["full_attention", "sliding_attention"].contains($0) }) {
            throw reader.unsupported("layer_types", "\"\(kind)\"")
        }
        let isSet = reader.json["sliding_window"] != nil
        let tokens = try reader.int("sliding_window", isSet && self == .mistral ? 0 : 4_096, most: 1 << 40)
        guard tokens > 0 else { return nil }
        switch self {
        case .llama, .gemma, .gpt2: return nil
        case .mistral: return SlidingWindow(tokens: tokens)
        case .qwen2, .qwen3:
            guard try reader.bool("use_sliding_window", false) else { return nil }
            let first = try reader.int("max_window_layers", 28)
            guard kinds.isEmpty || kinds.count == layers else {
                throw reader.unsupported("layer_types", "\(kinds.count) kinds for \(layers) layers")
            }
            let limited = (0..<layers).filter { kinds.isEmpty ? $0 >= first : kinds[$0] == "sliding_attention" }
            return limited.isEmpty ? nil : SlidingWindow(tokens: tokens, layers: Set(limited))
        }
    }

    /// The text configuration as `transformers` writes it.
    func json(_ configuration: DecoderConfiguration) -> JSONObject {
        if self == .gpt2 { return gpt2JSON(configuration) }
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
            if self != .mistral {
                object["use_sliding_window"] = true
                let limited = (0..<configuration.layers).map { window.tokens(at: $0) != nil }
                object["max_window_layers"] = .int(limited.firstIndex(of: true) ?? configuration.layers)
                object["layer_types"] = .array(limited.map { $0 ? "sliding_attention" : "full_attention" })
            }
        }
        if self == .gemma, configuration.paddingTokenID == nil { object["pad_token_id"] = .null }
        if let padding = configuration.paddingTokenID { object["pad_token_id"] = .integer(Int64(padding)) }
        return object
    }
}
