public import Basics
public import NeuralNetwork
public import TensorCore

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

    /// The maps whose weights become codes where nobody trains them: every map of the blocks, and those that `targets` names.
    private func quantizedMaps(of target: TuningTarget) throws -> [(path: String, map: Linear)] {
        var whole = target
        whole.ignoresPaths = true
        var maps = try whole.maps(nil, for: name)
        for map in try target.maps(lora.targets, for: name) where !maps.contains(where: { $0.path == map.path }) {
            maps.append(map)
        }
        return maps
    }

    /// The weights of a model that will be codes once the rules are at work: they need never be in memory whole. None where another
    /// method is among the rules, which may want them.
    ///
    /// - Parameter tree: the model's parameters, whose values need not be there yet.
    public static func quantizedWeights(of tree: ParameterTree, by rules: [TuningRule]) -> [Parameter] {
        guard let backend = tree.entries.first?.parameter.value.backend else { return [] }
        let initializer = Initializer(backend: backend, fills: false)
        let context = TuningContext(seed: 0, encode: nil)
        var weights: [Parameter] = []
        for rule in rules {
            // What does not fit is told of when the rule is attached.
            guard let method = rule.method as? QLoRA,
                let target = try? TuningTarget(rule, tree: tree, initializer: initializer, context: context),
                let maps = try? method.quantizedMaps(of: target)
            else { return [] }
            weights += maps.map(\.map.weight)
        }
        return weights
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = try lora.attach(to: target)
        let all = try quantizedMaps(of: target)
        let form = QuantizedForm(rawValue: base) ?? .nf4
        let isDouble = isDouble
        var originals: [(weight: Parameter, value: Tensor)] = []
        attached.settle = { [unowned attached] in
            // What lies in a file still is read, quantised and dropped, one weight after another.
            for (path, map) in all where !map.weight.isTrainable && !(map.weight.source is QuantizedWeight) {
                let value = map.weight.value
                let weight = QuantizedWeight(value, form: form, doubly: isDouble)
                if attached.keepsBase { originals.append((map.weight, value)) }
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
