import Basics
import NeuralNetwork

/// Rotary settings in both spellings: `rope_theta` with `rope_scaling` (transformers 4), and `rope_parameters` (transformers 5).
enum RotaryReader {
    static func read(
        _ reader: ConfigurationReader, positions: Int
    ) throws -> (theta: Double, scaling: RotaryScaling) {
        let part = try reader.part("rope_parameters") ?? reader.part("rope_scaling")
        let theta = try (part ?? reader).positive("rope_theta", reader.positive("rope_theta", 10_000))
        for place in [reader, part].compactMap({ $0 }) {
            let share = try place.double("partial_rotary_factor", 1)
            guard share == 1 else { throw place.unsupported("partial_rotary_factor", "\(share)") }
        }
        guard let part else { return (theta, .standard) }
        let kind = try part.string("rope_type") ?? part.string("type") ?? "default"
        func factor() throws -> Double {
            let value = try part.double("factor", 0)
            guard value >= 1 else { throw part.unsupported("factor", "\(value)") }
            return value
        }
        let original = try part.int(
            "original_max_position_embeddings",
            try reader.int("original_max_position_embeddings", positions, most: 1 << 40), most: 1 << 40)
        guard original > 0 || !["dynamic", "llama3", "yarn"].contains(kind) else {
            throw part.unsupported("original_max_position_embeddings", "0")
        }
        switch kind {
        case "default": return (theta, .standard)
        case "linear": return (theta, .linear(factor: try factor()))
        case "dynamic": return (theta, .dynamic(factor: try factor(), originalPositions: original))
        case "llama3":
            return (
                theta,
                .llama3(
                    factor: try factor(), lowFrequencyFactor: try part.positive("low_freq_factor", 1),
                    highFrequencyFactor: try part.positive("high_freq_factor", 4), originalPositions: original)
            )
        case "yarn":
            guard part.json["mscale"] == nil, part.json["mscale_all_dim"] == nil else {
                throw part.unsupported("mscale", "set")
            }
            return (
                theta,
                .yarn(
                    factor: try factor(), betaFast: try part.positive("beta_fast", 32),
                    betaSlow: try part.positive("beta_slow", 1), attentionFactor: part.json["attention_factor"]?.double,
                    originalPositions: original, truncates: try part.bool("truncate", true))
            )
        default: throw part.unsupported("rope_type", "\"\(kind)\"")
        }
    }

    static func json(_ scaling: RotaryScaling) -> JSON {
        switch scaling {
        case .standard: return .null
        case .linear(let factor): return ["rope_type": "linear", "factor": .number(factor)]
        case .dynamic(let factor, let original):
            return [
                "rope_type": "dynamic", "factor": .number(factor), "original_max_position_embeddings": .int(original),
            ]
        case .llama3(let factor, let low, let high, let original):
            return [
                "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low),
                "high_freq_factor": .number(high), "original_max_position_embeddings": .int(original),
            ]
        case .yarn(let factor, let fast, let slow, let attention, let original, let truncates):
            var object: JSONObject = [
                "rope_type": "yarn", "factor": .number(factor), "beta_fast": .number(fast), "beta_slow": .number(slow),
                "original_max_position_embeddings": .int(original), "truncate": .bool(truncates),
            ]
            if let attention { object["attention_factor"] = .number(attention) }
            return .object(object)
        }
    }
}
