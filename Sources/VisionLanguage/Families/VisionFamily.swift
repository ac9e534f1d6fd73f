import Basics
import TensorCore

/// The vision families: CLIP's and SigLIP's defaults over one tower.
package enum VisionFamily: String, CaseIterable {
    case clip = "clip_vision_model"
    case siglip = "siglip_vision_model"

    /// `architectures` of the tower alone.
    var architecture: String { self == .clip ? "CLIPVisionModel" : "SiglipVisionModel" }

    /// The family whose shape this is, for writing.
    init(_ configuration: VisionConfiguration) { self = configuration.hasClassToken ? .clip : .siglip }

    /// Reads a vision configuration with the defaults of the family's class in `transformers`.
    package static func read(_ reader: ConfigurationReader) throws -> VisionConfiguration {
        let name = try reader.string("model_type") ?? rawClip
        guard
            let family = VisionFamily(
                rawValue: name == "siglip" ? "siglip_vision_model" : name == "clip" ? rawClip : name)
        else { throw reader.unsupported("model_type", "\"\(name)\"") }
        let hidden = try reader.int("hidden_size", 768)
        let heads = try reader.int("num_attention_heads", 12)
        let image = try reader.int("image_size", 224)
        let patch = try reader.int("patch_size", family == .clip ? 32 : 16)
        guard hidden > 0, heads > 0, hidden % heads == 0, patch > 0, image >= patch else {
            throw UserError(
                "\(reader.source): width \(hidden), \(heads) heads, pictures of \(image) in patches of \(patch) do not fit",
                fix: "correct the configuration")
        }
        return VisionConfiguration(
            hiddenSize: hidden, intermediateSize: try reader.int("intermediate_size", 3_072),
            layers: try reader.int("num_hidden_layers", 12), attentionHeads: heads, imageSize: image, patchSize: patch,
            channels: try reader.int("num_channels", 3),
            activation: try reader.activation("hidden_act", family == .clip ? .quickGelu : .geluTanh),
            normEpsilon: Float(try reader.double("layer_norm_eps", family == .clip ? 1e-5 : 1e-6)),
            hasClassToken: family == .clip, hasPatchBias: family == .siglip, hasPreNorm: family == .clip,
            hasPoolingHead: family == .siglip ? try reader.bool("vision_use_head", true) : false)
    }

    private static let rawClip = VisionFamily.clip.rawValue

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
        if self == .siglip { object["vision_use_head"] = .bool(configuration.hasPoolingHead) }
        return object
    }
}
