import Basics
import Checkpointing
import TensorCore

extension ModelFamily {
    /// LLaVA's own folders (github.com/haotian-liu/LLaVA): a Llama or Mistral `config.json` with `mm_…` keys. The tower is
    /// named there and mostly lies elsewhere. Written as `LlavaForConditionalGeneration`, which `transformers` opens.
    static func originalLlava(_ reader: ConfigurationReader, folder: String, tower: String?) throws -> ModelFamily {
        let name = try reader.string("mm_vision_tower") ?? ""
        let place = try towerFolder(tower, named: name, beside: folder, reader)
        let path = Paths.join(place, "config.json")
        let whole = ConfigurationReader(json: try JSON.read(path), source: path)
        var vision = try VisionFamily.read(whole.part("vision_config") ?? whole)
        vision.hasPoolingHead = false
        let kind = try reader.string("model_type") ?? "llava_llama"
        let decoders = ["llava": "llama", "llava_llama": "llama", "llava_mistral": "mistral", "llava_qwen": "qwen2"]
        guard let family = decoders[kind] ?? DecoderFamily(rawValue: kind)?.rawValue else {
            throw reader.unsupported("model_type", "\"\(kind)\"")
        }
        var text = reader.json.object ?? [:]
        text["model_type"] = .string(family)
        let language = try DecoderFamily.read(ConfigurationReader(json: .object(text), source: reader.source))
        try reader.only("mm_use_im_start_end", try reader.bool("mm_use_im_start_end", false), [false])
        let projector: ProjectorConfiguration =
            switch try reader.string("mm_projector_type") ?? "linear" {
            case "linear": .linear
            case "mlp2x_gelu": .mlp2xGelu
            case let other: throw reader.unsupported("mm_projector_type", "\"\(other)\"")
            }
        let feature = try reader.string("mm_vision_select_feature") ?? "patch"
        try reader.only("mm_vision_select_feature", feature, ["patch", "cls_patch"])
        let aspect = try reader.string("image_aspect_ratio") ?? "square"
        try reader.only("image_aspect_ratio", aspect, ["square", "pad", "anyres"])
        let merge = try reader.string("mm_patch_merge_type") ?? "flat"
        try reader.only(
            "mm_patch_merge_type", merge, aspect == "anyres" ? ["spatial_unpad"] : ["flat", "spatial_unpad"])
        let features = VisionFeatures(
            layer: reader.json["mm_vision_select_layer"]?.int ?? -2, appliesPostNorm: false,
            dropsClassToken: feature == "patch")
        guard (0...vision.layers).contains(features.blockCount(of: vision.layers)) else {
            throw reader.unsupported("mm_vision_select_layer", "\(features.layer) of \(vision.layers) layers")
        }
        let configuration = ModelConfiguration(
            vision: vision, features: features, projector: projector, language: language,
            layout: aspect == "anyres" ? .llavaNext : .llava)
        var settings = PictureSettings(pads: aspect == "pad")
        if aspect == "anyres" {
            let pairs = reader.json["image_grid_pinpoints"]?.array?.map { $0.array?.compactMap(\.int) ?? [] } ?? []
            let side = vision.imageSize
            for pair in pairs
            where pair.count != 2 || pair.contains(where: { $0 < side || $0 > 16_384 || $0 % side != 0 }) {
                throw reader.unsupported("image_grid_pinpoints", "\(pair)")
            }
            guard !pairs.isEmpty else { throw reader.unsupported("image_grid_pinpoints", "none") }
            settings.pinpoints = pairs
        }
        return ModelFamily(
            configuration: configuration,
            table: .originalLlava(channels: vision.channels, patchSize: vision.patchSize), imageTokenID: nil,
            published: reader.json, pictures: settings, towerName: place)
    }

    /// The tower's folder: the one given, the path in the configuration, or a folder of its last name in or beside the model's.
    private static func towerFolder(
        _ given: String?, named name: String, beside folder: String, _ reader: ConfigurationReader
    ) throws -> String {
        if let given { return given }
        let last = Paths.name(name)
        let parent = Paths.join(folder, "..")
        let places = [name, Paths.join(folder, name), Paths.join(folder, last), Paths.join(parent, last)]
        for place in places where !last.isEmpty && Files.exists(Paths.join(place, "config.json")) { return place }
        throw UserError(
            "\(reader.source): the tower \"\(name)\" (\"mm_vision_tower\") is not in this folder",
            fix: "hf download \(name) --local-dir \(Paths.join(folder, last)), or name its folder in the recipe: "
                + "model: {folder: \(folder), vision: FOLDER}")
    }
}
