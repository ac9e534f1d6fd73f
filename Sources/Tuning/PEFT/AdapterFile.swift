public import Basics
public import Checkpointing
public import NeuralNetwork
import TensorCore

/// An adapter's folder, opened: its configuration and its tensors.
public struct AdapterFile {
    /// The folder.
    public let path: String
    /// `adapter_config.json`.
    public let configuration: JSON
    /// The tensors.
    public let tensors: TensorFile

    /// Opens a folder.
    public init(_ folder: String) throws {
        path = folder
        let file = Paths.join(folder, AdapterFolder.configurationName)
        guard Files.exists(file) else {
            throw UserError(
                "\(folder): no adapter_config.json, so this is no adapter's folder",
                fix: "name a folder with adapter_config.json and adapter_model.safetensors")
        }
        configuration = try JSON.read(file)
        tensors = try TensorFile(Paths.join(folder, AdapterFolder.weightsName))
    }

    /// `LORA`, `IA3`, …, or `VITRAIL` for what PEFT has no word for.
    public var type: String { configuration["peft_type"]?.string ?? "" }

    /// The base's digest; nil in files of other programs.
    public var baseDigest: String? { configuration["vitrail"]?["base_sha256"]?.string }

    /// What the model with this adapter is asked for a caption; nil where the file does not say.
    public var captionPrompt: String? { configuration["vitrail"]?["caption_prompt"]?.string }

    /// Names of the methods.
    public var methods: [String] {
        configuration["vitrail"]?["methods"]?.array?.compactMap { $0["method"]?.string } ?? [type]
    }

    /// Puts the adapter on a model and fills it.
    ///
    /// - Parameters:
    ///   - checksBase: whether another base than the one it was trained on is an error.
    ///   - digest: the base's digest where it is known already.
    ///   - keepsBase: whether weights that the adapter replaces come back when it is detached; they take memory until then.
    public func attach(
        to tree: ParameterTree, table: KeyTable, checksBase: Bool = true, digest: String? = nil, keepsBase: Bool = false
    ) throws -> Tuning {
        let digest = digest ?? BaseDigest.hex(of: tree)
        if checksBase, let baseDigest, baseDigest != digest {
            throw UserError(
                "\(path): the adapter was trained on other weights than this model's (SHA-256 \(baseDigest.prefix(12))…, here \(digest.prefix(12))…)",
                fix:
                    "name its base model with --model; it was \(configuration["base_model_name_or_path"]?.string ?? "not noted")"
            )
        }
        let names = AdapterNames(tree, table: table)
        var rest: [String: TensorEntry] = [:]
        for entry in tensors.entries { rest[entry.name] = entry }
        let tuning = try Tuning(rules(names), tree: tree, seed: 0, digest: digest)
        do {
            tuning.settle(keepsBase: keepsBase)
            try fill(tuning, tree, names, &rest, keepsBase: keepsBase)
        } catch {
            tuning.detach()
            throw error
        }
        return tuning
    }

    private func fill(
        _ tuning: Tuning, _ tree: ParameterTree, _ names: AdapterNames, _ rest: inout [String: TensorEntry],
        keepsBase: Bool
    ) throws {
        // By place and name, since modules have several spellings.
        var known: [String: String] = [:]
        for name in rest.keys { known[canonical(name, names)] = name }
        for method in tuning.methods {
            for tensor in method.tensors {
                let wanted =
                    tensor.site.isEmpty || tensor.name == "prompt_embeddings"
                    ? tensor.name : "\(tensor.site).\(tensor.name)"
                guard let name = known[wanted], let entry = rest.removeValue(forKey: name) else {
                    throw UserError(
                        "\(path): \(AdapterFolder.weightsName) has no \(AdapterFolder.name(of: tensor, names))",
                        fix: "save the adapter again; its configuration and its tensors do not belong together")
                }
                try check(entry, tensor.shape)
                let values = try tensors.floats(name, checksFinite: true)
                if let imported = method.importedAt {
                    imported(tensor.site, tensor.name, values)
                } else if let added = method.added.first(where: { $0.site == tensor.site && $0.name == tensor.name }) {
                    values.withUnsafeBytes { added.parameter.value.backend.upload($0, to: added.parameter.value) }
                }
            }
        }
        for (name, entry) in rest.sorted(by: { $0.key < $1.key }) {
            guard let path = names.path(ofParameter: Self.stripped(name)), let parameter = tree[path] else {
                throw UserError(
                    "\(self.path): \(name) fits nothing in this model",
                    fix: "use the model that the adapter was made for")
            }
            try check(entry, parameter.shape.dimensions)
            let values = try tensors.floats(name, checksFinite: true)
            let value = Tensor(values, shape: parameter.shape, on: parameter.value.backend)
            if keepsBase { tuning.keepBase(of: parameter) }
            parameter.value.backend.convert(value, into: parameter.value)
        }
    }

    /// Rows for columns of a vector (PEFT's IA3 has both) are the same; those of a matrix are not.
    private func check(_ entry: TensorEntry, _ shape: [Int]) throws {
        guard entry.shape.count == shape.count, entry.shape.filter({ $0 != 1 }) == shape.filter({ $0 != 1 }) else {
            throw UserError(
                "\(path): \(entry.name) has shape \(entry.shape), this model needs \(shape)",
                fix: "use the model that the adapter was made for")
        }
    }

    static func stripped(_ name: String) -> String {
        name.hasPrefix("base_model.model.") ? String(name.dropFirst("base_model.model.".count)) : name
    }

    /// `site.name` of a tensor that belongs to a place.
    private func canonical(_ name: String, _ names: AdapterNames) -> String {
        let parts = Self.stripped(name).split(separator: ".").map(String.init)
        for count in stride(from: parts.count - 1, to: 0, by: -1) {
            if let site = names.site(ofModule: parts[..<count].joined(separator: ".")) {
                return site + "." + parts[count...].joined(separator: ".")
            }
        }
        return Self.stripped(name)
    }

    // MARK: Rules

    private func rules(_ names: AdapterNames) throws -> [TuningRule] {
        if let own = configuration["vitrail"]?["methods"]?.array { return try own.map(rule) }
        return [TuningRule(selector: "*", method: try peft(names), paths: sites(names))]
    }

    private func rule(_ json: JSON) throws -> TuningRule {
        guard let object = json.object, let name = json["method"]?.string, let type = TuningMethods.named(name) else {
            throw UserError(
                "\(path): unknown method \(json["method"]?.string ?? "")",
                fix: "update vitrail; it knows \(TuningMethods.names.joined(separator: ", "))")
        }
        return TuningRule(
            selector: json["at"]?.string ?? "*", method: try options(of: object) { type.init($0) },
            paths: json["paths"]?.array?.compactMap(\.string))
    }

    /// What `read` makes of an object's members.
    /// - Throws: an error naming all that cannot be.
    private func options<Value>(of object: JSONObject? = nil, _ read: (JSONOptions) -> Value) throws -> Value {
        let options = JSONOptions(object ?? configuration.object ?? [:])
        let value = read(options)
        guard options.faults.isEmpty else {
            throw UserError("\(path): \(options.faults.joined(separator: "; "))", fix: "save the adapter again")
        }
        return value
    }

    /// The rows of a matrix whose first extent a method takes from the file.
    private func rows(of entry: TensorEntry) throws -> Int {
        guard entry.shape.count == 2, (1...65_536).contains(entry.shape[0]) else {
            throw UserError(
                "\(path): \(entry.name) has shape \(entry.shape), which is no matrix of 1 to 65536 rows",
                fix: "save the adapter again")
        }
        return entry.shape[0]
    }

    /// The maps that tensors of a file by PEFT belong to.
    private func sites(_ names: AdapterNames) -> [String]? {
        let found = tensors.names.compactMap { name -> String? in
            guard
                let marker = [".lora_A.", ".lora_B.", ".ia3_l", ".lora_magnitude", ".vera_lambda"].first(where: {
                    name.contains($0)
                }),
                let range = name.firstRange(of: marker)
            else { return nil }
            return names.site(ofModule: Self.stripped(String(name[..<range.lowerBound])))
        }
        return found.isEmpty ? nil : AdapterFolder.unique(found)
    }

    private func peft(_ names: AdapterNames) throws -> any TuningMethod {
        switch type {
        case "LORA": return try lowRank(names)
        case "IA3":
            var method = IA3()
            method.feedForward = tensors.entries.filter {
                $0.name.hasSuffix(".ia3_l") && $0.shape.first == 1 && ($0.shape.last ?? 1) > 1
            }
            .compactMap { names.site(ofModule: Self.stripped(String($0.name.dropLast(".ia3_l".count)))) }
            return method
        case "VERA":
            guard tensors.contains("base_model.vera_A") else {
                throw UserError(
                    "\(path): the file lacks vera_A and vera_B", fix: "save it in PEFT with save_projection=True")
            }
            return VeRA(rank: try options { $0.rank("r", or: 256) })
        case "PROMPT_TUNING", "P_TUNING": return PromptTuning(tokens: try rows(of: tensors.entry("prompt_embeddings")))
        case "PREFIX_TUNING": return PrefixTuning(tokens: try rows(of: tensors.entry("prompt_embeddings")))
        default:
            throw UserError(
                "\(path): peft_type \"\(type)\" is not read",
                fix: "it reads LORA, IA3, VERA, PROMPT_TUNING, P_TUNING, PREFIX_TUNING and its own")
        }
    }

    private func lowRank(_ names: AdapterNames) throws -> LoRA {
        for (key, word) in [("fan_in_fan_out", "fan_in_fan_out"), ("lora_bias", "lora_bias")]
        where configuration[key]?.bool == true {
            throw UserError("\(path): \(word) is not read", fix: "merge the adapter in PEFT and convert the model")
        }
        var method = try options { options in
            let rank = options.rank("r", or: 8)
            let alphas = -LoRA.mostAlpha...LoRA.mostAlpha
            var method = LoRA(
                rank: rank,
                alpha: options.double("lora_alpha", minimum: alphas.lowerBound, maximum: alphas.upperBound)
                    ?? Double(rank))
            for (pattern, alpha) in options.numbers("alpha_pattern") where !alphas.contains(alpha) {
                options.fault("\(alpha) is no alpha for \"\(pattern)\"", fix: nil, key: "alpha_pattern")
            }
            method.isRankStabilized = options.bool("use_rslora") ?? false
            method.isWeightDecomposed = options.bool("use_dora") ?? false
            method.dropout = options.double("lora_dropout", minimum: 0, maximum: 0.99) ?? 0
            return method
        }
        let alphas = configuration["alpha_pattern"]?.object.map { Array($0) } ?? []
        // The tensors say the ranks; patterns of PEFT match the end of a module's name.
        for entry in tensors.entries where entry.name.contains(".lora_A.") {
            guard let range = entry.name.firstRange(of: ".lora_A.") else { continue }
            let module = Self.stripped(String(entry.name[..<range.lowerBound]))
            guard let site = names.site(ofModule: module) else {
                throw UserError(
                    "\(path): \(entry.name) fits no map of this model",
                    fix: "use the model that the adapter was made for")
            }
            let rank = try rows(of: entry)
            if rank != method.rank { method.rankPattern.append((site, Double(rank))) }
            let own = alphas.first { module == $0.key || module.hasSuffix("." + $0.key) }
            if let alpha = own?.value.double { method.alphaPattern.append((site, alpha)) }
        }
        return method
    }
}
