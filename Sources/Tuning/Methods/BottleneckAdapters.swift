public import Basics
import NeuralNetwork
public import TensorCore

/// Bottleneck adapters: y + up(σ(down(y))) after attention and after the feed-forward (Houlsby et al. 2019), or after the
/// feed-forward only (Pfeiffer et al. 2021).
public struct BottleneckAdapters: TuningMethod {
    /// Its name in recipes.
    public static let name = "bottleneck"
    /// What it does.
    public static let summary = "small two-layer networks behind attention and feed-forward"
    /// Width between the two maps.
    public var size: Int
    /// Whether only the feed-forward has one.
    public var pfeiffer: Bool
    /// The function between.
    public var activation: Activation

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        size = options.extent("size", or: 16, advice: "take 8 to 64")
        pfeiffer = options.choice("placement", ["houlsby", "pfeiffer"], "houlsby") == "pfeiffer"
        let names = Activation.allCases.map(\.rawValue)
        activation = Activation(rawValue: options.choice("activation", names, "gelu")) ?? .gelu
    }
    /// Networks of a width.
    public init(size: Int = 16, pfeiffer: Bool = false, activation: Activation = .gelu) {
        (self.size, self.pfeiffer, self.activation) = (size, pfeiffer, activation)
    }
    /// Its options, as they are read.
    public var json: JSONObject {
        [
            "size": .int(size), "placement": pfeiffer ? "pfeiffer" : "houlsby",
            "activation": .string(activation.rawValue),
        ]
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let ends = pfeiffer ? ["down", "second"] : ["output", "down", "second"]
        let maps = try target.maps(nil, for: name).filter {
            ends.contains(TuningTarget.lastName($0.path)) && $0.path.contains("layers.")
        }
        guard !maps.isEmpty else {
            throw UnfitMethod(
                target, name, "it has no blocks with attention and feed-forward",
                fix: "use it on vision or language; full or lora fit a projector")
        }
        let attached = AttachedMethod(self, target)
        var adapters: [(Linear, BottleneckAdapter)] = []
        for (path, map) in maps {
            let adapter = BottleneckAdapter(
                columns: map.outputs, size: size, activation: activation, target.initializer)
            map.push(adapter)
            adapters.append((map, adapter))
            for entry in adapter.parameters.entries {
                attached.add(entry.parameter, at: path, "adapter_" + entry.path)
            }
        }
        attached.remove = { for (map, adapter) in adapters { map.remove(adapter) } }
        attached.foldObstacle = "a bottleneck adapter is not linear, so no weight matrix does the same"
        return attached
    }
}

/// One bottleneck behind a map. It starts as the identity: the second map is zero.
final class BottleneckAdapter: LinearAdapter {
    private let down: Linear
    private let up: Linear
    private let activation: Activation

    init(columns: Int, size: Int, activation: Activation, _ initializer: Initializer) {
        down = .evenly(inputs: columns, outputs: size, initializer)
        up = Linear(
            weight: initializer.constant([columns, size], 0, decays: true), bias: initializer.constant([columns], 0))
        self.activation = activation
    }

    var parameters: ParameterTree { ["down": down, "up": up] }

    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor {
        let y = base(x)
        return y + up(TensorCore.activation(activation, down(y)))
    }
}
