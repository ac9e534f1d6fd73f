import Basics
public import Checkpointing
public import NeuralNetwork
import TensorCore

/// An adapter as a folder: `adapter_config.json` and `adapter_model.safetensors`, as PEFT has them.
public enum AdapterFolder {
    static let configurationName = "adapter_config.json"
    static let weightsName = "adapter_model.safetensors"
    /// `peft_type` of what PEFT has no name for.
    static let ownType = "VITRAIL"

    /// Writes what a tuning has learned.
    ///
    /// - Parameters:
    ///   - tree: the model's parameters.
    ///   - table: the family's names.
    ///   - base: where the base model is, for people; it is identified by its digest.
    ///   - captionPrompt: what the model with this adapter is asked for a caption.
    public static func write(
        _ tuning: Tuning, tree: ParameterTree, table: KeyTable, base: String, captionPrompt: String? = nil,
        to folder: String
    ) throws {
        let names = AdapterNames(tree, table: table)
        var tensors: [(String, [Int], [Float])] = []
        for tensor in tuning.methods.flatMap(\.tensors) {
            tensors.append((name(of: tensor, names), tensor.shape, tensor.values))
        }
        let changed = tuning.changed
        for entry in changed.entries {
            guard let name = names.name(ofParameter: entry.path) else { continue }
            tensors.append(
                ("base_model.model." + name, entry.parameter.shape.dimensions, entry.parameter.value.floats))
        }
        tensors.sort { $0.0 < $1.0 }
        try Files.createDirectory(folder)
        var writer = try SafetensorsWriter(
            Paths.join(folder, weightsName),
            tensors.map { TensorDescription(name: $0.0, element: .float32, shape: $0.1) })
        for (name, _, values) in tensors { try writer.append(name, floats: values) }
        try writer.finish()
        var object = configuration(tuning, tree, names)
        object["base_model_name_or_path"] = .string(base)
        object["inference_mode"] = true
        var own: JSONObject = [
            "format": 1, "base_sha256": .string(tuning.baseDigest),
            "methods": .array(
                tuning.methods.map { method in
                    var rule = method.rule
                    rule.method = method.saved
                    let sites = unique(method.added.map(\.site).filter { !$0.isEmpty })
                    if !sites.isEmpty { rule.paths = sites }
                    return rule.json
                }),
        ]
        if let captionPrompt { own["caption_prompt"] = .string(captionPrompt) }
        object["vitrail"] = .object(own)
        try Files.write(
            JSON.object(object).serialized(pretty: true) + "\n", to: Paths.join(folder, configurationName))
    }

    static func name(of tensor: AdapterTensor, _ names: AdapterNames) -> String {
        if tensor.site.isEmpty || tensor.name == "prompt_embeddings" { return tensor.name }
        return "base_model.model.\(names.module(of: tensor.site) ?? tensor.site).\(tensor.name)"
    }

    private static func parent(_ path: String) -> String { path.lastIndex(of: ".").map { String(path[..<$0]) } ?? path }

    /// The one method that decides the file's `peft_type`; nil when PEFT has no word for the whole.
    private static func peftMethod(
        _ tuning: Tuning, _ tree: ParameterTree, _ names: AdapterNames
    ) -> AttachedMethod? {
        let adding = tuning.methods.filter { !$0.added.isEmpty }
        guard adding.count == 1, adding[0].saved is any PEFTMethod else { return nil }
        // PEFT saves whole modules as they stand in memory: not a bias alone, nor a convolution as the matrix that it is here.
        let changed = Set(tuning.changed.entries.map(\.path))
        let modules = Set(changed.map(parent))
        let isWhole = tree.entries.allSatisfy { changed.contains($0.path) || !modules.contains(parent($0.path)) }
        let isPlain = changed.allSatisfy { !$0.contains("patchEmbedding") && !$0.hasPrefix("vision.classToken") }
        let isAlike = names.unlike.isDisjoint(with: changed.union(adding[0].added.map(\.site)))
        return isWhole && isPlain && isAlike ? adding[0] : nil
    }

    private static func configuration(
        _ tuning: Tuning, _ tree: ParameterTree, _ names: AdapterNames
    ) -> JSONObject {
        guard let attached = peftMethod(tuning, tree, names), let method = attached.saved as? any PEFTMethod else {
            return ["peft_type": .string(ownType), "task_type": .null]
        }
        var object = method.configuration(PEFTScope(attached, tree, names))
        let modules = unique(tuning.changed.entries.compactMap { names.name(ofParameter: $0.path).map(parent) })
        object["modules_to_save"] = modules.isEmpty ? .null : .array(modules.map { .string($0) })
        object["task_type"] = tree.entries.contains { $0.path.hasPrefix("vision.") } ? .null : "CAUSAL_LM"
        return object
    }

    static func unique(_ items: [String]) -> [String] {
        var seen: Set<String> = []
        return items.filter { seen.insert($0).inserted }
    }
}

/// A method that PEFT has too.
protocol PEFTMethod: TuningMethod {
    /// The keys of `adapter_config.json`.
    func configuration(_ scope: PEFTScope) -> JSONObject
}

/// What a method needs to describe itself in PEFT's words.
struct PEFTScope {
    let attached: AttachedMethod
    let tree: ParameterTree
    let names: AdapterNames

    init(_ attached: AttachedMethod, _ tree: ParameterTree, _ names: AdapterNames) {
        (self.attached, self.tree, self.names) = (attached, tree, names)
    }

    /// Paths of the maps tuned.
    var sites: [String] { AdapterFolder.unique(attached.added.map(\.site)) }

    /// Module names: their last parts where these mean the same maps, otherwise in full.
    func modules(_ sites: [String]) -> [String] {
        let full = sites.compactMap { names.module(of: $0) }
        let short = AdapterFolder.unique(full.map { TuningTarget.lastName($0) })
        let meant = tree.sites.compactMap { $0.site is Linear ? names.module(of: $0.path) : nil }
            .filter { short.contains(TuningTarget.lastName($0)) }
        return (Set(meant) == Set(full) ? short : full).sorted()
    }

    /// The decoder's shape.
    var decoder: (any VirtualTokenSite)? { tree.sites.lazy.compactMap { $0.site as? any VirtualTokenSite }.first }
}
