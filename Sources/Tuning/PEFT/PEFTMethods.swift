import Basics
import NeuralNetwork
import TensorCore

extension LoRA: PEFTMethod {
    func configuration(_ scope: PEFTScope) -> JSONObject {
        func pattern(_ keep: (String) -> Double?) -> JSON {
            .object(
                JSONObject(
                    scope.sites.compactMap { site in
                        guard let value = keep(site), let name = scope.names.module(of: site) else { return nil }
                        return (name, .whole(value))
                    }))
        }
        return [
            "peft_type": "LORA", "r": .int(rank),
            "lora_alpha": .whole(alpha),
            "lora_dropout": .number(dropout), "use_rslora": .bool(isRankStabilized),
            "use_dora": .bool(isWeightDecomposed),
            "target_modules": .array(scope.modules(scope.sites).map { .string($0) }), "bias": "none",
            "fan_in_fan_out": false, "init_lora_weights": true,
            "rank_pattern": pattern { settings(at: $0).rank == rank ? nil : Double(settings(at: $0).rank) },
            "alpha_pattern": pattern { settings(at: $0).alpha == alpha ? nil : settings(at: $0).alpha },
        ]
    }
}

extension IA3: PEFTMethod {
    func configuration(_ scope: PEFTScope) -> JSONObject {
        let inputs = scope.sites.filter { feedForward.contains(TuningTarget.lastName($0)) || feedForward.contains($0) }
        return [
            "peft_type": "IA3", "target_modules": .array(scope.modules(scope.sites).map { .string($0) }),
            "feedforward_modules": .array(scope.modules(inputs).map { .string($0) }), "fan_in_fan_out": false,
            "init_ia3_weights": true,
        ]
    }
}

extension PromptTuning: PEFTMethod {
    func configuration(_ scope: PEFTScope) -> JSONObject {
        [
            "peft_type": "PROMPT_TUNING", "num_virtual_tokens": .int(tokens),
            "token_dim": .int(scope.decoder?.hiddenSize ?? 0), "num_layers": .int(scope.decoder?.layerCount ?? 0),
            "num_attention_heads": .int(scope.decoder?.heads.queryHeads ?? 0), "num_transformer_submodules": 1,
            "prompt_tuning_init": "RANDOM",
        ]
    }
}

extension PrefixTuning: PEFTMethod {
    func configuration(_ scope: PEFTScope) -> JSONObject {
        let heads = scope.decoder?.heads
        return [
            "peft_type": "PREFIX_TUNING", "num_virtual_tokens": .int(tokens),
            "token_dim": .int(heads?.keyValueColumns ?? 0), "num_layers": .int(scope.decoder?.layerCount ?? 0),
            "num_attention_heads": .int(heads?.keyValueHeads ?? 0), "num_transformer_submodules": 1,
            "prefix_projection": false, "encoder_hidden_size": .int(heads?.keyValueColumns ?? 0),
        ]
    }
}

extension QLoRA: PEFTMethod {
    /// PEFT has no own type for it: the adapter is a LoRA, whatever the base is kept as.
    func configuration(_ scope: PEFTScope) -> JSONObject { lora.configuration(scope) }
}

extension VeRA: PEFTMethod {
    func configuration(_ scope: PEFTScope) -> JSONObject {
        [
            "peft_type": "VERA", "r": .int(rank), "d_initial": .number(initial), "save_projection": true,
            "target_modules": .array(scope.modules(scope.sites).map { .string($0) }), "vera_dropout": 0, "bias": "none",
            "fan_in_fan_out": false, "init_weights": true, "projection_prng_key": 0,
        ]
    }
}
