public import Basics
import NeuralNetwork

/// Bias terms only (Ben Zaken et al. 2022), and on request the norms' weights, for models whose norms have no bias.
public struct BitFit: TuningMethod {
    /// Its name in recipes.
    public static let name = "bitfit"
    /// What it does.
    public static let summary = "bias terms, and with norms: true the norms"
    /// Whether the weights of norms are trained too.
    public var norms: Bool

    /// Reads its options.
    public init(_ options: any TuningOptions) { norms = options.bool("norms") ?? false }
    /// Biases, and norms if wanted.
    public init(norms: Bool = false) { self.norms = norms }
    /// Its options, as they are read.
    public var json: JSONObject { ["norms": .bool(norms)] }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        let biases = target.parameters.filter { TuningTarget.lastName($0.path) == "bias" }
        guard norms || !biases.entries.isEmpty else {
            throw UnfitMethod(
                target, name, "none of its maps and norms has a bias term",
                fix: "write bitfit with norms: true, or use norms, ia3 or lora")
        }
        attached.changed = target.parameters.filter {
            TuningTarget.lastName($0.path) == "bias" || norms && NormTuning.isNorm($0.path)
        }
        attached.fold = {}
        return attached
    }
}

/// Weights and biases of the norms only (Zhao et al. 2023).
public struct NormTuning: TuningMethod {
    /// Its name in recipes.
    public static let name = "norms"
    /// What it does.
    public static let summary = "weights and biases of the norms"

    /// Reads its options.
    public init(_ options: any TuningOptions) {}
    /// Norms.
    public init() {}
    /// Its options, as they are read.
    public var json: JSONObject { [:] }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        attached.changed = target.parameters.filter { Self.isNorm($0.path) }
        guard !attached.changed.entries.isEmpty else {
            throw UnfitMethod(
                target, name, "there is no norm in it",
                fix: "use full, bitfit or lora; the tower and the decoder have norms")
        }
        attached.fold = {}
        return attached
    }

    /// Whether a path is a norm's parameter: `norm1.weight`, `postNorm.bias`, `queryNorm.weight`.
    static func isNorm(_ path: String) -> Bool {
        let parts = path.split(separator: ".")
        guard parts.count >= 2 else { return false }
        return parts[parts.count - 2].lowercased().contains("norm")
    }
}
