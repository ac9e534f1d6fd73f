import ArgumentParser
import Basics
import CPUBackend
import TensorCore
import VisionLanguage

/// How the weights of a model that only answers are kept.
struct QuantizeOptions: ParsableArguments {
    @Option(help: "Keep weights in 8 or 4 bits a weight, in blocks with a scale: q8 or q4.")
    var quantize: QuantizeOption?

    /// The processor: quantised weights want rows in integers, which bfloat16 precision allows.
    func backend(_ runtime: RuntimeOptions) -> CPUBackend {
        runtime.backend(precision: quantize == nil ? .float32 : .bfloat16)
    }

    /// The form of weights on a processor; nil leaves them as they were loaded.
    func storage(on backend: CPUBackend) -> WeightStorage? {
        quantize?.storage ?? (backend.products == .bfloat16 ? .bfloat16 : nil)
    }

    /// The form of tower and projector beside a decoder's. Without products in integers, their blocks would be widened for every batch.
    func visionStorage(beside storage: WeightStorage?, on backend: CPUBackend) -> WeightStorage {
        let isInBlocks = storage == .q8 || storage == .q4
        return isInBlocks && backend.multipliesBlocks ? .q8 : .bfloat16
    }

    /// Opens a model folder with its adapter and brings the weights into that form. A folder that lies in blocks stays in them.
    func open(_ folder: String, _ adapters: AdapterOptions, _ runtime: RuntimeOptions) throws -> ModelBundle {
        try adapters.refuseNames()
        return try openSwitching(folder, adapters, runtime).bundle
    }

    /// The same with several adapters, among which questions choose; nil when there is nothing to choose from.
    ///
    /// - Parameter sees: whether pictures will come.
    func openSwitching(
        _ folder: String, _ adapters: AdapterOptions, _ runtime: RuntimeOptions, sees: Bool = true
    ) throws -> (bundle: ModelBundle, adapters: AdapterSwitch?) {
        try AdapterOptions.refuseUnfinished(folder)
        let stored = try WeightStorage.ofFolder(folder)
        if let stored, let quantize, quantize.storage != stored {
            throw UserError(
                "\(folder) holds \(stored.rawValue) weights, which cannot become \(quantize.rawValue)",
                fix: "quantise the model that it was made from")
        }
        let backend = stored == nil ? backend(runtime) : runtime.backend(precision: .bfloat16)
        // Adapters read the weights under them in float32.
        let isAdapted = adapters.hasAdapter(folder)
        guard quantize == nil || !isAdapted else {
            throw UserError(
                "\(folder): an adapter is at work, and --quantize takes plain weights",
                fix: "fold it in first with vitrail adapter merge")
        }
        // An adapter may change the tower too, and its base is told by all of its weights.
        let storage = stored ?? storage(on: backend)
        let bundle = try ModelBundle.open(
            folder, storage: isAdapted ? nil : storage, visionStorage: visionStorage(beside: storage, on: backend),
            sees: sees || isAdapted, on: backend)
        let changes = try adapters.attach(to: bundle, of: folder)
        // What wider weights took goes back to the system.
        backend.releaseIdleMemory()
        return (bundle, changes)
    }
}

/// A form of quantised weights by name.
enum QuantizeOption: String, ExpressibleByArgument, CaseIterable {
    case q8, q4

    var storage: WeightStorage { self == .q8 ? .q8 : .q4 }
}
