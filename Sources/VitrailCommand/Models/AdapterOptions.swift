import ArgumentParser
import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import Tuning
import VisionLanguage

/// The option of every command that runs a model which adapters may change.
struct AdapterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Adapter on top of the model: a folder with adapter_config.json, written here or by PEFT. As name=folder, several \
            times, for questions that choose one by "adapter": name.
            """, valueName: "folder"),
        completion: .directory)
    var adapter: [String] = []

    func validate() throws {
        if adapter.contains("") { throw ValidationError("--adapter is empty. Name a folder.") }
    }

    /// Whether the model runs with an adapter.
    func hasAdapter(_ model: String) -> Bool { !adapter.isEmpty || Self.ownFolder(of: model) != nil }

    /// The adapter in a model's folder.
    static func ownFolder(of model: String) -> String? {
        let own = Paths.join(model, "adapter")
        return Files.isDirectory(own) ? own : nil
    }

    /// Refuses a checkpoint from the middle of a stage with `tune:`: its adapter lies with the optimizer, and the weights beside it are
    /// the base's.
    static func refuseUnfinished(_ model: String) throws {
        let moments = Paths.join(model, "optimizer.safetensors")
        guard Files.exists(Paths.join(model, "state.json")), Files.exists(moments),
            try JSON.read(Paths.join(model, "state.json"))["base_sha256"]?.string != nil,
            try TensorFile(moments).names.contains(where: { $0.hasPrefix("extra.") })
        else { return }
        throw UserError(
            "\(model): a checkpoint from a stage with tune:, whose adapter is no part of the weights there",
            fix: "finish the run with --resume, and name its final folder")
    }

    /// The adapter of all questions that choose none, and the named ones.
    func folders(for model: String) throws -> (common: String?, named: [(name: String, folder: String)]) {
        var (common, named): (String?, [(name: String, folder: String)]) = (Self.ownFolder(of: model), [])
        var isGiven = false
        for text in adapter {
            // A folder may hold an equals sign in its name.
            if !Files.isDirectory(text), let equals = text.firstIndex(of: "=") {
                let name = String(text[..<equals])
                guard !name.isEmpty, !named.contains(where: { $0.name == name }) else {
                    throw UserError(
                        "--adapter \(text): " + (name.isEmpty ? "no name" : "a second adapter is called \(name)"),
                        fix: "write name=folder with a name of its own for each")
                }
                named.append((name, String(text[text.index(after: equals)...])))
                continue
            }
            guard !isGiven else {
                throw UserError(
                    "--adapter \(text): a second adapter for all questions",
                    fix:
                        "give each a name, --adapter a=\(common ?? "") --adapter b=\(text), and questions an \"adapter\""
                )
            }
            (common, isGiven) = (text, true)
        }
        return (common, named)
    }

    /// For commands without questions that could choose one.
    func refuseNames() throws {
        guard let text = adapter.first(where: { !Files.isDirectory($0) && $0.contains("=") }) else { return }
        let folder = text.split(separator: "=", maxSplits: 1).last.map(String.init) ?? ""
        throw UserError("--adapter \(text): no question chooses one here", fix: "write --adapter \(folder)")
    }

    /// Opens a model with the adapter asked for, or with the one that lies in its folder.
    func open(_ model: String, on backend: any Backend) throws -> ModelBundle {
        try refuseNames()
        return try Self.open(model, adapter: try folders(for: model).common, on: backend)
    }

    /// Puts the adapter of all questions on a model, and gets the named ones ready.
    ///
    /// - Returns: what changes between them; nil when there is only the common one, or none.
    func attach(to bundle: ModelBundle, of model: String) throws -> AdapterSwitch? {
        let (common, named) = try folders(for: model)
        guard !named.isEmpty else {
            if let common {
                _ = try AdapterFile(common).attach(to: bundle)
            }
            return nil
        }
        return try AdapterSwitch(bundle, common: common, named: named)
    }

    /// Opens a model with an adapter, by default the one that lies in its folder.
    static func open(_ model: String, adapter: String? = nil, on backend: any Backend) throws -> ModelBundle {
        try refuseUnfinished(model)
        let bundle = try ModelBundle.open(model, on: backend)
        guard let folder = adapter ?? ownFolder(of: model) else { return bundle }
        _ = try AdapterFile(folder).attach(to: bundle)
        return bundle
    }
}

extension AdapterFile {
    /// Puts the adapter on a model, which is then asked for captions as the adapter was tuned to be.
    func attach(to bundle: ModelBundle) throws -> Tuning {
        let tuning = try attach(to: bundle.model.parameters, table: bundle.keyTable)
        if let captionPrompt { bundle.captionPrompt = captionPrompt }
        return tuning
    }
}
