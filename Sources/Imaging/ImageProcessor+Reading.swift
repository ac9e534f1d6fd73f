public import Basics

extension ImageProcessor {
    /// Reads a `preprocessor_config.json` (or the `image_processor` part of a `processor_config.json`) with the defaults of
    /// the class that it names: CLIP, SigLIP, LLaVA, LLaVA-NeXT, Idefics3 or SmolVLM.
    ///
    /// - Throws: `UserError` naming the key and the value that this code cannot follow.
    public init(configuration json: JSON, source: String) throws {
        let outer = json["image_processor"] ?? json
        let reader = try ProcessorReader(outer, source: source)
        self = try reader.processor()
    }
}

/// The keys of one configuration, with the defaults of its class behind them.
private struct ProcessorReader {
    let json: JSON
    let source: String
    let family: ProcessorFamily

    /// Keys that say nothing about the tensor of one picture.
    private static let ignored: Set<String> = [
        "image_processor_type", "feature_extractor_type", "processor_class", "_valid_processor_keys", "do_convert_rgb",
        "return_row_col_info", "image_seq_length", "data_format", "input_data_format", "return_tensors", "device",
        "disable_grouping", "default_to_square", "video_sampling", "num_additional_image_tokens", "patch_size",
        "vision_feature_select_strategy", "aspect_ratio_setting", "image_token", "auto_map", "pad_size",
    ]
    private static let known: Set<String> = [
        "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor", "do_normalize",
        "image_mean", "image_std", "do_pad", "image_grid_pinpoints", "max_image_size", "do_image_splitting",
        "image_aspect_ratio",
    ]

    init(_ json: JSON, source: String) throws {
        guard let object = json.object else {
            throw UserError("\(source): not a JSON object", fix: "take the file from the model's publisher")
        }
        let named = object["image_processor_type"]?.string ?? object["feature_extractor_type"]?.string
        let name = named ?? "CLIPImageProcessor"
        guard let family = ProcessorFamily(className: name) else {
            let names = ProcessorFamily.allCases.map(\.rawValue)
            throw UserError(
                "\(source): \"image_processor_type\": \"\(name)\" is not supported",
                fix: Suggestion.fix(
                    for: name, among: names, or: "supported are \(names.joined(separator: ", "))"))
        }
        for (key, value) in object where !value.isNull && !Self.ignored.contains(key) && !Self.known.contains(key) {
            throw UserError(
                "\(source): unknown key \"\(key)\" (\(value.serialized()))",
                fix: Suggestion.fix(
                    for: key, among: Self.known.sorted(), or: "remove it if it has no effect on the pixels"))
        }
        self.json = json
        self.source = source
        self.family = family
    }

    func processor() throws -> ImageProcessor {
        let number = try int("resample")
        guard let filter = ResampleFilter(rawValue: number) else { throw unsupported("resample") }
        var processor = ImageProcessor(resize: nil, filter: filter, rescaleFactor: nil, normalization: nil)
        if try flag("do_rescale", true) { processor.rescaleFactor = try factor() }
        if try flag("do_normalize", true) {
            let deviation = try three("image_std")
            guard deviation.allSatisfy({ Float($0) != 0 }) else { throw unsupported("image_std") }
            processor.normalization = ImageProcessor.Normalization(
                mean: try three("image_mean"), standardDeviation: deviation)
        }
        if family.splits {
            processor.tiling = try splitting()
            return processor
        }
        if try flag("do_resize", true) { processor.resize = try resize() }
        if try flag("do_center_crop", value("do_center_crop") != nil && family != .siglip) {
            processor.centerCrop = try cropSize()
        }
        let pads = try text("image_aspect_ratio") == "pad" || family == .llava && flag("do_pad", false)
        if pads { processor.padding = .mean }
        if family == .llavaNext { processor.tiling = try anyResolution(processor) }
        return processor
    }

    private func factor() throws -> Double {
        guard let found = value("rescale_factor") else { return 1.0 / 255 }
        guard let factor = found.double, factor.isFinite else { throw unsupported("rescale_factor") }
        return factor
    }

    private func resize() throws -> ImageProcessor.Resize {
        guard let size = value("size") else { throw unsupported("size") }
        // A bare number is the older spelling: the shorter side for CLIP, a square for SigLIP.
        if size.int != nil {
            let side = try side(size, "size")
            return family == .siglip ? .exact(PixelSize(square: side)) : .shortestEdge(side)
        }
        switch size.object?.keys.filter({ size[$0]?.isNull == false }).sorted() {
        case ["shortest_edge"]: return .shortestEdge(try side(size["shortest_edge"], "size"))
        case ["height", "width"]:
            return .exact(PixelSize(width: try side(size["width"], "size"), height: try side(size["height"], "size")))
        default: throw unsupported("size")
        }
    }

    private func cropSize() throws -> PixelSize {
        guard let size = value("crop_size") else { throw unsupported("crop_size") }
        if size.int != nil { return PixelSize(square: try side(size, "crop_size")) }
        return PixelSize(width: try side(size["width"], "crop_size"), height: try side(size["height"], "crop_size"))
    }

    private func splitting() throws -> Tiling {
        guard try flag("do_resize", true) else { throw unsupported("do_resize") }
        return .splitting(
            longestEdge: try side(value("size")?["longest_edge"], "size"),
            tile: try side(value("max_image_size")?["longest_edge"], "max_image_size"),
            splits: try flag("do_image_splitting", true))
    }

    private func anyResolution(_ processor: ImageProcessor) throws -> Tiling {
        guard let pairs = value("image_grid_pinpoints")?.array, !pairs.isEmpty else {
            throw unsupported("image_grid_pinpoints")
        }
        let base: PixelSize
        switch processor.resize {
        case .exact(let size)?: base = size
        case .shortestEdge(let edge)?: base = PixelSize(square: edge)
        case nil: throw unsupported("do_resize")
        }
        // Tiles are as high as the crop, whether it is applied or not, as in transformers.
        let tile = try value("crop_size").map { _ in try cropSize().height } ?? base.height
        let candidates = try pairs.map { pair -> PixelSize in
            guard let numbers = pair.array, numbers.count == 2 else { throw unsupported("image_grid_pinpoints") }
            // [height, width]
            let size = PixelSize(
                width: try side(numbers[1], "image_grid_pinpoints"),
                height: try side(numbers[0], "image_grid_pinpoints"))
            guard size.width % tile == 0, size.height % tile == 0 else { throw unsupported("image_grid_pinpoints") }
            return size
        }
        return .anyResolution(candidates: candidates, tile: tile, base: base)
    }

    private func value(_ key: String) -> JSON? {
        if let found = json[key], !found.isNull { return found }
        return family.defaults[key]
    }

    private func flag(_ key: String, _ fallback: Bool) throws -> Bool {
        guard let found = value(key) else { return fallback }
        guard let flag = found.bool else { throw unsupported(key) }
        return flag
    }

    private func int(_ key: String) throws -> Int {
        guard let number = value(key)?.int else { throw unsupported(key) }
        return number
    }

    private func text(_ key: String) throws -> String? {
        guard let found = value(key) else { return nil }
        guard let text = found.string else { throw unsupported(key) }
        return text
    }

    private func three(_ key: String) throws -> [Double] {
        let values = (value(key)?.array ?? []).map(\.double)
        guard values.count == 3, values.allSatisfy({ $0?.isFinite == true }) else { throw unsupported(key) }
        return values.compactMap { $0 }
    }

    private func side(_ value: JSON?, _ key: String) throws -> Int {
        guard let side = value?.int, (1...16_384).contains(side) else { throw unsupported(key) }
        return side
    }

    private func unsupported(_ key: String) -> UserError {
        UserError(
            "\(source): \"\(key)\": \(value(key)?.serialized() ?? "missing") is not supported for \(family.rawValue)",
            fix: "take the value from the model's publisher")
    }
}
