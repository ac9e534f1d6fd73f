import ArgumentParser
import Basics
import NeuralNetwork
import TensorCore
import Tuning
import VisionLanguage

/// The option of every command that runs a model which adapters may change.
struct AdapterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Adapter on top of the model: a folder with adapter_config.json, written here or by PEFT.",
            valueName: "folder"),
        completion: .directory)
    var adapter: String?

    /// Whether the model runs with an adapter.
    func hasAdapter(_ model: String) -> Bool { Self.folder(for: model, adapter) != nil }

    private static func folder(for model: String, _ adapter: String?) -> String? {
        let own = Paths.join(model, "adapter")
        return adapter ?? (Files.isDirectory(own) ? own : nil)
    }

    /// Opens a model with the adapter asked for, or with the one that lies in its folder.
    func open(_ model: String, on backend: any Backend) throws -> ModelBundle {
        try Self.open(model, adapter: adapter, on: backend)
    }

    /// Opens a model with an adapter, by default the one that lies in its folder.
    static func open(_ model: String, adapter: String? = nil, on backend: any Backend) throws -> ModelBundle {
        let bundle = try ModelBundle.open(model, on: backend)
        guard let folder = folder(for: model, adapter) else { return bundle }
        _ = try AdapterFile(folder).attach(to: bundle.model.parameters, table: bundle.keyTable)
        return bundle
    }
}
