import Basics

extension DamagedFolder {
    /// Values of `config.json` that cannot be.
    static func configurations(_ family: String) -> [DamagedFolder] {
        let isNext = family == "llava_next"
        var values: [([String], JSON?)] = [
            (["model_type"], "llava_nxt"), (["model_type"], 7), (["quantization_config"], ["bits": 4]),
            (["text_config", "model_type"], "mamba"), (["vision_config", "model_type"], "vivit"),
            (["text_config"], "small"), (["vision_config"], [1]),
        ]
        let sizes = ["hidden_size", "num_attention_heads", "intermediate_size"]
        func add(_ part: String, _ key: String, _ found: [JSON]) { values += found.map { ([part, key], $0) } }
        for part in ["text_config", "vision_config"] {
            for key in sizes { add(part, key, [0, -3, 1_099_511_627_776, 17_179_869_184, "wide", 7.5, [1], 13]) }
            add(part, "num_hidden_layers", [68_719_476_736, -1, 77])
        }
        add("text_config", "vocab_size", [0, 1_099_511_627_776, 1_000_000, "many"])
        add("text_config", "num_key_value_heads", [0, 3, "two"])
        add("vision_config", "patch_size", [0, 5, 8_589_934_592])
        add("vision_config", "image_size", [0, 3, 8_589_934_592, 1_600])
        add("vision_config", "num_channels", [0, 2, 1_048_576])
        add("text_config", "hidden_act", ["mish", 3])
        add("text_config", "rms_norm_eps", [-1, 1e300])
        let ropes: [JSON] = [
            ["rope_type": "zap"], ["rope_type": "linear"], ["rope_type": "linear", "factor": -2],
            ["rope_type": "default", "rope_theta": 0], ["rope_type": "yarn", "factor": "x"],
        ]
        add("text_config", "rope_parameters", ropes)
        if isNext {
            values += [
                (["vision_feature_layer"], 9), (["vision_feature_layer"], [1, 2]),
                (["vision_feature_select_strategy"], "half"), (["vision_feature_select_strategy"], "full"),
                (["projector_hidden_act"], "relu"), (["multimodal_projector_bias"], false),
                (["image_grid_pinpoints"], [[16, 16]]),
            ]
        } else {
            let factors: [JSON] = [0, 3, -2, 1_099_511_627_776]
            values += factors.map { (["scale_factor"], $0) }
        }
        return values.map { keys, value in
            let text = value?.serialized() ?? "nothing"
            return DamagedFolder("\(keys.joined(separator: ".")) is \(text)", family) {
                try $0.set("config.json", keys, value)
            }
        }
    }

    /// Processors that do not fit, or are none.
    static func processors(_ family: String) -> [DamagedFolder] {
        var values: [([String], JSON)] = [
            (["image_processor_type"], "ZapImageProcessor"), (["resample"], 77), (["image_mean"], [1]),
            (["image_std"], [0, 0, 0]), (["rescale_factor"], "x"), (["unknown_key"], 1),
            (["size"], ["longest_edge": 0, "shortest_edge": 0]), (["size"], "large"), (["do_normalize"], "yes"),
        ]
        if family == "llava_next" {
            values += [
                (["image_grid_pinpoints"], []), (["image_grid_pinpoints"], [[17, 16]]),
                (["image_grid_pinpoints"], [[0, 0]]),
                (["image_grid_pinpoints"], [[1_099_511_627_776, 16]]),
                (["crop_size"], ["height": 1_073_741_824, "width": 1_073_741_824]),
            ]
        } else {
            values += [
                (["max_image_size"], ["longest_edge": 3]), (["max_image_size"], ["longest_edge": 0]),
                (["max_image_size"], ["longest_edge": 16_384]), (["size"], ["longest_edge": 1_099_511_627_776]),
            ]
        }
        return values.map { keys, value in
            DamagedFolder("processor: \(keys.joined(separator: ".")) is \(value.serialized())", family) { folder in
                try folder.set(folder.processor.name, folder.processor.keys + keys, value)
            }
        }
    }
}
