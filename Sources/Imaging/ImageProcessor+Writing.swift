public import Basics

extension ImageProcessor {
    /// The `preprocessor_config.json` with which transformers makes the same tensors.
    ///
    /// nanoVLM has no such file; its processor is written as SmolVLM's, which cuts differently.
    public var configuration: JSON {
        var object: JSONObject = [
            "image_processor_type": .string(family.rawValue), "do_convert_rgb": true, "do_resize": true,
            "resample": .int(filter.rawValue), "do_rescale": .bool(rescaleFactor != nil),
            "do_normalize": .bool(normalization != nil),
        ]
        if let rescaleFactor { object["rescale_factor"] = .number(rescaleFactor) }
        if let normalization {
            object["image_mean"] = .array(normalization.mean.map { .number($0) })
            object["image_std"] = .array(normalization.standardDeviation.map { .number($0) })
        }
        switch tiling {
        case .splitting(let longestEdge, let tile, let splits):
            object["size"] = ["longest_edge": .int(longestEdge)]
            object["max_image_size"] = ["longest_edge": .int(tile)]
            object["do_image_splitting"] = .bool(splits)
            object["do_pad"] = true
            return .object(object)
        case .anyResolution(let candidates, _, _):
            object["image_grid_pinpoints"] = .array(candidates.map { [.int($0.height), .int($0.width)] })
            object["do_pad"] = true
        case .dynamic(let tile, let maximumSide, _):
            object["size"] = ["longest_edge": .int(maximumSide)]
            object["max_image_size"] = ["longest_edge": .int(tile)]
            return .object(object)
        case .none: break
        }
        switch resize {
        case .exact(let size)?: object["size"] = ["height": .int(size.height), "width": .int(size.width)]
        case .shortestEdge(let edge)?: object["size"] = ["shortest_edge": .int(edge)]
        case nil: object["do_resize"] = false
        }
        if family != .siglip {
            object["do_center_crop"] = .bool(centerCrop != nil)
            if let centerCrop {
                object["crop_size"] = ["height": .int(centerCrop.height), "width": .int(centerCrop.width)]
            }
        }
        if family == .llava { object["do_pad"] = .bool(padding != nil) }
        return .object(object)
    }

    private var family: ProcessorFamily {
        switch tiling {
        case .splitting, .dynamic: return .smolVLM
        case .anyResolution: return .llavaNext
        case .none:
            if padding != nil { return .llava }
            return centerCrop == nil ? .siglip : .clip
        }
    }
}
