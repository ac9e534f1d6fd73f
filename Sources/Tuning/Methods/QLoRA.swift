public import Basics
import NeuralNetwork
import TensorCore

/// LoRA over a quantised base (Dettmers et al. 2023): 4-bit blocks of 64 with, unless refused, 8-bit scales; float compute.
///
/// What any method trains is settled first and never quantised, nor is the head unless `targets` names it.
public struct QLoRA: TuningMethod {
    /// Its name in recipes.
    public static let name = "qlora"
    /// What it does.
    public static let summary = "LoRA over a base of 4 or 8 bits"
    /// The adapter.
    public var lora: LoRA
    /// `nf4`, `fp4` or `int8`.
    public var base: String
    /// Whether scales are quantised too.
    public var isDouble: Bool

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        lora = LoRA(options)
        base = options.choice("base", QuantizedForm.allCases.map(\.rawValue), "nf4")
        isDouble = options.bool("double") ?? true
        if lora.initialization == "pissa" || lora.isWeightDecomposed {
            options.fault(
                "qlora takes neither dora nor init: pissa", fix: "remove it, or use method: lora", key: nil)
        }
    }
    /// LoRA over a base in a form.
    public init(_ lora: LoRA = LoRA(), base: String = "nf4", isDouble: Bool = true) {
        (self.lora, self.base, self.isDouble) = (lora, base, isDouble)
    }
    /// Its options, as they are read.
    public var json: JSONObject {
        var object = lora.json
        object["base"] = .string(base)
        object["double"] = .bool(isDouble)
        return object
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = try lora.attach(to: target)
        var whole = target
        whole.ignoresPaths = true
        var maps = try whole.maps(nil, for: name)
        let tuned = Set(attached.added.map(\.site))
        for map in try target.maps(lora.targets, for: name) where !maps.contains(where: { $0.path == map.path }) {
            if tuned.contains(map.path) { maps.append(map) }
        }
        let form = QuantizedForm(rawValue: base) ?? .nf4
        let isDouble = isDouble
        let all = maps
        var originals: [(weight: Parameter, value: Tensor)] = []
        attached.settle = { [unowned attached] in
            for (path, map) in all where !map.weight.isTrainable && map.weight.source == nil {
                let weight = QuantizedWeight(map.weight.value, form: form, doubly: isDouble)
                if attached.keepsBase { originals.append((map.weight, map.weight.value)) }
                map.weight.keep(as: weight)
                attached.coded.weights += weight.shape.count
                attached.coded.bytes += weight.byteCount
                attached.kept += weight.tensors.map { ("\(path).\($0.name)", $0.tensor) }
            }
        }
        // The weights that come back are those of the codes: what was rounded away is gone.
        let (fold, remove) = (attached.fold, attached.remove)
        func restore() {
            for (_, map) in all where map.weight.source != nil { map.weight.replaceValue(map.weight.value) }
        }
        attached.fold = {
            try fold?()
            restore()
        }
        attached.remove = {
            remove()
            restore()
            for (weight, value) in originals { weight.replaceValue(value) }
            originals = []
        }
        return attached
    }
}
