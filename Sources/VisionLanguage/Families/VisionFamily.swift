import Basics
import TensorCore

/// The vision families: their defaults over one tower.
package enum VisionFamily: String, CaseIterable {
    case clip = "clip_vision_model"
    case siglip = "siglip_vision_model"
    /// SigLIP's tower with positions for any resolution.
    case idefics3 = "idefics3_vision"
    case smolVLM = "smolvlm_vision"

    /// `architectures` of the tower alone.
    var architecture: String { self == .clip ? "CLIPVisionModel" : "SiglipVisionModel" }

    /// The family whose shape this is, for writing a tower alone.
    init(_ configuration: VisionConfiguration) { self = configuration.hasClassToken ? .clip : .siglip }

    /// A family by `model_type`, in the spellings that published files have.
    init?(name: String) {
        switch name {
        case "clip": self = .clip
        case "siglip": self = .siglip
        case "idefics3": self = .idefics3
        case "smolvlm": self = .smolVLM
        default: self.init(rawValue: name)
        }
    }

    /// Reads a vision configuration with the defaults of the family's class in `transformers`.
    ///
    /// - Parameter fallback: the family when `model_type` is missing.
    package static func read(
        _ reader: ConfigurationReader, fallback: VisionFamily = .clip
    ) throws -> VisionConfiguration {
        let name = try reader.string("model_type") ?? fallback.rawValue
        guard let family = VisionFamily(name: name) else { throw reader.unsupported("model_type", "\"\(name)\"") }
        // Idefics3 brings its own class for what publishers call "siglip" in its folders.
        let isAnySize = family == .idefics3 || family == .smolVLM || fallback != .clip
        let configuration = VisionConfiguration(
            hiddenSize: try reader.int("hidden_size", isAnySize ? 1_152 : 768),
            intermediateSize: try reader.int("intermediate_size", 3_072),
            layers: try reader.int("num_hidden_layers", 12),
            attentionHeads: try reader.int("num_attention_heads", isAnySize ? 16 : 12),
            imageSize: try reader.int("image_size", 224),
            patchSize: try reader.int("patch_size", family == .clip || isAnySize ? 32 : 16),
            channels: try reader.int("num_channels", 3),
            activation: try reader.activation("hidden_act", family == .clip ? .quickGelu : .geluTanh),
            normEpsilon: try reader.epsilon("layer_norm_eps", family == .clip ? 1e-5 : 1e-6),
            hasClassToken: family == .clip, hasPatchBias: family != .clip, hasPreNorm: family == .clip,
            hasPoolingHead: family == .siglip && !isAnySize ? try reader.bool("vision_use_head", true) : false,
            positionRule: isAnySize ? .bucketed : .resampled)
        try check(configuration, reader)
        return configuration
    }

    /// Widths, heads and patches fit each other.
    static func check(_ shape: VisionConfiguration, _ reader: ConfigurationReader) throws {
        let (hidden, heads) = (shape.hiddenSize, shape.attentionHeads)
        guard shape.channels == 3 else { throw reader.unsupported("num_channels", "\(shape.channels)") }
        guard shape.intermediateSize > 0 else { throw reader.unsupported("intermediate_size", "0") }
        guard hidden > 0, heads > 0, hidden % heads == 0, shape.patchSize > 0, shape.imageSize >= shape.patchSize else {
            throw UserError(
                "\(reader.source): width \(hidden), \(heads) heads, pictures of \(shape.imageSize) pixels "
                    + "in patches of \(shape.patchSize) do not fit",
                fix: "correct the configuration")
        }
    }

    /// The vision configuration as `transformers` writes it.
    func json(_ configuration: VisionConfiguration) -> JSONObject {
        var object: JSONObject = [
            "architectures": [.string(architecture)], "model_type": .string(rawValue),
            "hidden_size": .int(configuration.hiddenSize), "intermediate_size": .int(configuration.intermediateSize),
            "num_hidden_layers": .int(configuration.layers), "num_attention_heads": .int(configuration.attentionHeads),
            "image_size": .int(configuration.imageSize), "patch_size": .int(configuration.patchSize),
            "num_channels": .int(configuration.channels),
            "hidden_act": .string(configuration.activation.huggingFaceName),
            "layer_norm_eps": .number(Double("\(configuration.normEpsilon)") ?? Double(configuration.normEpsilon)),
            "torch_dtype": "float32",
        ]
        if self != .clip { object["vision_use_head"] = .bool(configuration.hasPoolingHead) }
        return object
    }
}
