internal import Basics

/// The image processors of Hugging Face transformers that are understood, with their classes' defaults.
enum ProcessorFamily: String, CaseIterable {
    case clip = "CLIPImageProcessor"
    case siglip = "SiglipImageProcessor"
    case llava = "LlavaImageProcessor"
    case llavaNext = "LlavaNextImageProcessor"
    case idefics3 = "Idefics3ImageProcessor"
    case smolVLM = "SmolVLMImageProcessor"

    /// The class with or without the endings `Fast` and `Pil`; `CLIPFeatureExtractor` is CLIP's name before 2023.
    init?(className: String) {
        var name = className
        for ending in ["Fast", "Pil"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
        if name.hasSuffix("FeatureExtractor") {
            name.removeLast("FeatureExtractor".count)
            name += "ImageProcessor"
        }
        self.init(rawValue: name)
    }

    /// Whether one picture becomes tiles by Idefics3's rules.
    var splits: Bool { self == .idefics3 || self == .smolVLM }

    /// Defaults of a class when its `preprocessor_config.json` leaves a key out.
    var defaults: JSONObject {
        switch self {
        case .siglip:
            ["size": ["height": 224, "width": 224], "resample": 3, "image_mean": half, "image_std": half]
        case .idefics3, .smolVLM:
            [
                "size": ["longest_edge": 1_456], "max_image_size": ["longest_edge": 364], "resample": 1,
                "do_image_splitting": true, "image_mean": half, "image_std": half,
            ]
        case .clip, .llava, .llavaNext:
            [
                "size": ["shortest_edge": 224], "crop_size": ["height": 224, "width": 224], "resample": 3,
                "do_center_crop": true, "image_mean": numbers(ImageProcessor.Normalization.clip.mean),
                "image_std": numbers(ImageProcessor.Normalization.clip.standardDeviation),
                "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1_008, 336], [336, 1_008]],
            ]
        }
    }

    private var half: JSON { [0.5, 0.5, 0.5] }

    private func numbers(_ values: [Double]) -> JSON { .array(values.map { .number($0) }) }
}
