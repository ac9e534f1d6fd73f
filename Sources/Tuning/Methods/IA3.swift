public import Basics
import NeuralNetwork
import TensorCore

/// (IA)³ (Liu et al. 2022): keys, values and the inputs of the feed-forward's last map times learned vectors.
public struct IA3: TuningMethod {
    /// Its name in recipes.
    public static let name = "ia3"
    /// What it does.
    public static let summary = "learned factors on keys, values and the feed-forward's inner states"
    /// Names of the maps; nil for keys, values and the feed-forward's last.
    public var targets: [String]?
    /// Which of them have their inputs scaled instead of their outputs.
    public var feedForward: [String]

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        targets = options.strings("targets")
        feedForward = options.strings("feedforward") ?? Self.lastMaps
    }
    /// Factors at the maps named.
    public init(targets: [String]? = nil, feedForward: [String]? = nil) {
        self.targets = targets
        self.feedForward = feedForward ?? Self.lastMaps
    }
    /// Its options, as they are read.
    public var json: JSONObject {
        var object: JSONObject = ["feedforward": .array(feedForward.map { .string($0) })]
        if let targets { object["targets"] = .array(targets.map { .string($0) }) }
        return object
    }

    static let lastMaps = ["down", "second"]

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        let all = try target.maps(targets, for: name)
        let maps =
            targets != nil || target.paths != nil
            ? all : all.filter { (["key", "value"] + Self.lastMaps).contains(TuningTarget.lastName($0.path)) }
        guard !maps.isEmpty else {
            throw UnfitMethod(
                target, name, "it has no keys, values or feed-forward", fix: "name targets:, or use lora or full")
        }
        var adapters: [(Linear, FactorAdapter)] = []
        for (path, map) in maps {
            let scalesInput = feedForward.contains(TuningTarget.lastName(path)) || feedForward.contains(path)
            let adapter = FactorAdapter(
                factors: target.initializer.constant([scalesInput ? map.inputs : map.outputs], 1),
                scalesInput: scalesInput)
            map.push(adapter)
            adapters.append((map, adapter))
            let shape = scalesInput ? [1, map.inputs] : [map.outputs, 1]
            attached.add(adapter.factors, at: path, "ia3_l", shape: shape)
        }
        attached.remove = { for (map, adapter) in adapters { map.remove(adapter) } }
        attached.fold = { for (map, adapter) in adapters { adapter.fold(into: map) } }
        return attached
    }
}

/// Factors on the inputs or on the outputs of a map.
final class FactorAdapter: LinearAdapter {
    let factors: Parameter
    private let scalesInput: Bool

    init(factors: Parameter, scalesInput: Bool) {
        self.factors = factors
        self.scalesInput = scalesInput
    }

    var parameters: ParameterTree { ["ia3_l": factors] }

    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor {
        scalesInput
            ? base(scaledColumns(x, by: factors.tensor)) : scaledColumns(base(x), by: factors.tensor)
    }

    func fold(into map: Linear) {
        let values = factors.value.floats
        var weight = map.weight.value.floats
        for row in 0..<map.outputs {
            for column in 0..<map.inputs {
                weight[row * map.inputs + column] *= scalesInput ? values[column] : values[row]
            }
        }
        map.setWeight(weight)
        guard !scalesInput, let bias = map.bias else { return }
        let scaled = zip(bias.value.floats, values).map { $0 * $1 }
        scaled.withUnsafeBytes { bias.value.backend.upload($0, to: bias.value) }
    }
}
