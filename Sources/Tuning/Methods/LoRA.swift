public import Basics
import NeuralNetwork
import TensorCore

/// Low-rank adaptation: W + scale · B A with two thin matrices (Hu et al. 2022), and its descendants as options.
///
/// rsLoRA divides by √rank (Kalajdzievski 2023), DoRA learns magnitudes apart from directions (Liu et al. 2024), LoRA+ gives B a
/// higher rate (Hayou et al. 2024), PiSSA starts from the principal singular vectors (Meng et al. 2024).
public struct LoRA: TuningMethod {
    /// Its name in recipes.
    public static let name = "lora"
    /// What it does.
    public static let summary = "a low-rank product beside each weight matrix"
    /// Rank of the product.
    public var rank = 8
    /// Numerator of the scale: alpha/rank.
    public var alpha = 16.0
    /// The largest alpha, and below 0 the smallest: with more, products leave the numbers that there are, and a model says nothing.
    static let mostAlpha = 1_000_000.0
    /// Names of the maps; nil for all maps of the blocks.
    public var targets: [String]?
    /// Share of the inputs that is dropped in training.
    public var dropout = 0.0
    /// Whether the scale is alpha/√rank.
    public var isRankStabilized = false
    /// Whether magnitudes are learned apart.
    public var isWeightDecomposed = false
    /// How the matrices start: `zero` (B = 0), or `pissa`.
    public var initialization = "zero"
    /// Factor on B's learning rate (LoRA+).
    public var rateRatio = 1.0
    /// Other ranks by pattern.
    public var rankPattern: [(pattern: String, value: Double)] = []
    /// Other alphas by pattern.
    public var alphaPattern: [(pattern: String, value: Double)] = []

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        rank = options.rank(or: 8)
        alpha = options.double("alpha", minimum: 0, maximum: Self.mostAlpha) ?? 2 * Double(rank)
        targets = options.strings("targets")
        dropout = options.double("dropout", minimum: 0, maximum: 0.99) ?? 0
        isRankStabilized = options.bool("rslora") ?? false
        isWeightDecomposed = options.bool("dora") ?? false
        initialization = options.choice("init", ["zero", "pissa"], "zero")
        rateRatio = options.double("rate_ratio", minimum: 0, maximum: .greatestFiniteMagnitude) ?? 1
        rankPattern = options.numbers("rank_pattern")
        alphaPattern = options.numbers("alpha_pattern")
        for (pattern, value) in rankPattern where value != value.rounded() || !(1...65_536).contains(value) {
            options.fault(
                "\(value) is no rank for \"\(pattern)\"", fix: "write a whole number, 4 to 64", key: "rank_pattern")
        }
        rankPattern.removeAll { !(1...65_536).contains($0.value) }
        for (pattern, value) in alphaPattern where !(-Self.mostAlpha...Self.mostAlpha).contains(value) {
            options.fault(
                "\(value) is no alpha for \"\(pattern)\"", fix: "write a number, such as twice the rank",
                key: "alpha_pattern")
        }
        if isWeightDecomposed && initialization == "pissa" {
            options.fault("dora and init: pissa do not go together", fix: "choose one of the two", key: "init")
        }
    }

    /// A low-rank product of this rank, with alpha twice the rank.
    public init(rank: Int = 8, alpha: Double? = nil) {
        self.rank = rank
        self.alpha = alpha ?? 2 * Double(rank)
    }

    /// Its options, as they are read.
    public var json: JSONObject {
        var object: JSONObject = [
            "rank": .int(rank), "alpha": .number(alpha), "dropout": .number(dropout), "rslora": .bool(isRankStabilized),
            "dora": .bool(isWeightDecomposed), "init": .string(initialization), "rate_ratio": .number(rateRatio),
        ]
        if let targets { object["targets"] = .array(targets.map { .string($0) }) }
        func numbers(_ list: [(pattern: String, value: Double)]) -> JSON {
            .object(JSONObject(list.map { ($0.pattern, .number($0.value)) }))
        }
        if !rankPattern.isEmpty { object["rank_pattern"] = numbers(rankPattern) }
        if !alphaPattern.isEmpty { object["alpha_pattern"] = numbers(alphaPattern) }
        return object
    }

    /// What reads its file back.
    public var saved: any TuningMethod {
        guard initialization == "pissa" else { return self }
        var plain = self
        let growth = isRankStabilized ? 2.0.squareRoot() : 2
        plain.initialization = "zero"
        plain.rank *= 2
        plain.alpha *= growth
        plain.rankPattern = rankPattern.map { ($0.pattern, 2 * $0.value) }
        plain.alphaPattern = alphaPattern.map { ($0.pattern, growth * $0.value) }
        return plain
    }

    /// Rank and alpha at a place.
    func settings(at path: String) -> (rank: Int, alpha: Double) {
        func value(_ patterns: [(pattern: String, value: Double)]) -> Double? {
            patterns.first { Self.fits(path, $0.pattern) }?.value
        }
        return (max(1, Int(value(rankPattern) ?? Double(rank))), value(alphaPattern) ?? alpha)
    }

    /// Whether a pattern of ranks or alphas means a map: by its name or the end of its path, as targets do, or by the part it is in.
    private static func fits(_ path: String, _ pattern: String) -> Bool {
        TuningTarget.names(path, pattern) || TuningTarget.matches(path, pattern)
    }

    /// Factor on B A at a place.
    func scale(at path: String) -> Float {
        let (rank, alpha) = settings(at: path)
        return Float(isRankStabilized ? alpha / Double(rank).squareRoot() : alpha / Double(rank))
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        var adapters: [(path: String, map: Linear, adapter: LowRankAdapter)] = []
        let maps = try target.maps(targets, for: name)
        let patterns = target.paths == nil ? (rankPattern + alphaPattern).map(\.pattern) : []
        for pattern in patterns where !maps.contains(where: { Self.fits($0.path, pattern) }) {
            var known: [String] = []
            for map in maps where !known.contains(TuningTarget.lastName(map.path)) {
                known.append(TuningTarget.lastName(map.path))
            }
            throw UnfitMethod(
                target, name, "no map that it is put on fits the pattern \"\(pattern)\"",
                fix: Suggestion.fix(for: pattern, among: known))
        }
        for (path, map) in maps {
            let rank = settings(at: path).rank
            guard rank <= max(map.inputs, map.outputs) else {
                throw UnfitMethod(
                    target, name, "rank \(rank) at \(path) exceeds the matrix of \(map.outputs) × \(map.inputs)",
                    fix: "write a rank of at most \(min(map.inputs, map.outputs))")
            }
            let adapter = LowRankAdapter(
                map, rank: rank, scale: scale(at: path), dropout: Float(dropout), context: target.context,
                target.initializer)
            if initialization == "pissa" { adapter.startFromPrincipal() }
            if isWeightDecomposed {
                map.push(DecomposedAdapter(adapter))
            } else {
                map.push(adapter)
            }
            adapters.append((path, map, adapter))
            attached.add(adapter.a, at: path, "lora_A.weight")
            attached.add(adapter.b, at: path, "lora_B.weight")
            attached.rateFactors[ObjectIdentifier(adapter.b)] = rateRatio
            if let magnitude = (map.lastAdapter as? DecomposedAdapter)?.magnitude {
                attached.add(magnitude, at: path, "lora_magnitude_vector")
            }
        }
        let method = self
        attached.remove = { for entry in adapters { entry.map.removeLowRank(entry.adapter) } }
        attached.fold = {
            for entry in adapters { entry.map.setWeight(entry.map.mergedWeight(of: entry.adapter)) }
        }
        if method.initialization == "pissa" {
            attached.exported = { adapters.flatMap { $0.adapter.exported(at: $0.path) } }
        }
        return attached
    }
}
