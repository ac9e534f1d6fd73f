import Tuning

/// A method with its usual options, or an optimizer under full tuning: what can be measured by name.
struct TuningCandidate {
    /// The method's name; `full+lomo` is full tuning by LOMO.
    let name: String
    var method: any TuningMethod = FullTuning()
    var optimizer = OptimizerRecipe.Kind.adamw

    /// All, in the order in which they are listed for users.
    static let all: [TuningCandidate] = {
        var decomposed = LoRA(rank: 8)
        decomposed.isWeightDecomposed = true
        var list = [TuningCandidate(name: "full")]
        for kind in OptimizerRecipe.Kind.allCases where kind != .adamw {
            list.append(TuningCandidate(name: "full+\(kind.rawValue)", optimizer: kind))
        }
        let methods: [(String, any TuningMethod)] = [
            ("layers", PartialLayers(.top(2))), ("lisa", PartialLayers(.sampled(2, interval: 20))),
            ("lora", LoRA(rank: 8)), ("dora", decomposed), ("qlora", QLoRA(LoRA(rank: 8))),
            ("qlora-int8", QLoRA(LoRA(rank: 8), base: "int8")), ("vera", VeRA()), ("ia3", IA3()),
            ("bitfit", BitFit(norms: true)), ("norms", NormTuning()), ("bottleneck", BottleneckAdapters()),
            ("prompt", PromptTuning(tokens: 20)), ("ptuning", PTuning(tokens: 20)),
            ("prefix", PrefixTuning(tokens: 20)), ("intrinsic", IntrinsicDimension(dimensions: 1_000)),
            ("hint", Hypernetwork(instructions: ["Answer the question."])),
        ]
        return list + methods.map { TuningCandidate(name: $0.0, method: $0.1) }
    }()

    /// One by name.
    static func named(_ name: String) -> TuningCandidate? { all.first { $0.name == name } }
}
