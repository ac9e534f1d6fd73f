import Basics
import Imaging

extension ImageProcessor {
    /// Pixels high of every processed picture; 0 when it depends on the picture.
    var outputHeight: Int { fixedSize?.height ?? 0 }
    /// Pixels wide of every processed picture; 0 when it depends on the picture.
    var outputWidth: Int { fixedSize?.width ?? 0 }

    private var fixedSize: PixelSize? {
        if let centerCrop { return centerCrop }
        if case .exact(let size)? = resize { return size }
        return nil
    }

    /// `preprocessor_config.json` as the slow processors of `transformers` read it.
    var configuration: JSON {
        var object: JSONObject = [
            "image_processor_type": .string(centerCrop == nil ? "SiglipImageProcessor" : "CLIPImageProcessor"),
            "do_resize": .bool(resize != nil), "resample": .int(filter.rawValue),
            "do_rescale": .bool(rescaleFactor != nil),
            "do_normalize": .bool(normalization != nil), "do_convert_rgb": true,
        ]
        switch resize {
        case .exact(let size)?: object["size"] = ["height": .int(size.height), "width": .int(size.width)]
        case .shortestEdge(let edge)?: object["size"] = ["shortest_edge": .int(edge)]
        case nil: break
        }
        if let centerCrop {
            object["do_center_crop"] = true
            object["crop_size"] = ["height": .int(centerCrop.height), "width": .int(centerCrop.width)]
        }
        if let rescaleFactor { object["rescale_factor"] = .number(rescaleFactor) }
        if let normalization {
            object["image_mean"] = .array(normalization.mean.map { .number($0) })
            object["image_std"] = .array(normalization.standardDeviation.map { .number($0) })
        }
        if padding != nil { object["image_aspect_ratio"] = "pad" }
        return .object(object)
    }

    /// Reads a `preprocessor_config.json` of the CLIP or SigLIP kind.
    init(configuration json: JSON, source: String) throws {
        let reader = ConfigurationReader(json: json, source: source)
        let name = try reader.string("image_processor_type") ?? "CLIPImageProcessor"
        let known = [
            "CLIPImageProcessor", "CLIPImageProcessorFast", "SiglipImageProcessor", "SiglipImageProcessorFast",
        ]
        guard known.contains(name) else { throw reader.unsupported("image_processor_type", "\"\(name)\"") }
        let number = try reader.int("resample", 3)
        guard let filter = ResampleFilter(rawValue: number) else { throw reader.unsupported("resample", "\(number)") }
        var resize: Resize?
        if try reader.bool("do_resize", true), let size = try reader.part("size") {
            if size.json["shortest_edge"] != nil {
                resize = .shortestEdge(try size.required("shortest_edge"))
            } else {
                resize = .exact(PixelSize(width: try size.required("width"), height: try size.required("height")))
            }
        }
        var crop: PixelSize?
        if try reader.bool("do_center_crop", name.hasPrefix("CLIP")) {
            if let size = try reader.part("crop_size") {
                crop = PixelSize(width: try size.required("width"), height: try size.required("height"))
            } else {
                crop = PixelSize(square: try reader.int("crop_size", 224))
            }
        }
        var normalization: Normalization?
        if try reader.bool("do_normalize", true) {
            func three(_ key: String, _ fallback: [Double]) throws -> [Double] {
                guard let values = json[key]?.array else { return fallback }
                let numbers = values.compactMap(\.double)
                guard numbers.count == 3, values.count == 3 else {
                    throw reader.unsupported(key, json[key]!.serialized())
                }
                return numbers
            }
            let fallback: Normalization = name.hasPrefix("CLIP") ? .clip : .half
            normalization = Normalization(
                mean: try three("image_mean", fallback.mean),
                standardDeviation: try three("image_std", fallback.standardDeviation))
        }
        let scale = try reader.bool("do_rescale", true) ? try reader.double("rescale_factor", 1.0 / 255) : nil
        self.init(
            padding: try reader.string("image_aspect_ratio") == "pad" ? .mean : nil, resize: resize, filter: filter,
            centerCrop: crop, rescaleFactor: scale, normalization: normalization)
    }
}
