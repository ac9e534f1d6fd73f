import Basics
import Checkpointing
public import NeuralNetwork
public import TensorCore

/// All methods at work on a model: attached together, trained together, saved as one adapter.
public final class Tuning {
    /// The methods in the order of the recipe.
    public let methods: [AttachedMethod]
    /// Whether the model trains.
    public let context: TuningContext
    /// SHA-256 of the base model's weights before anything was trained.
    public let baseDigest: String
    private var replaced: [(parameter: Parameter, value: Tensor)] = []

    /// Attaches methods to a model and settles which parameters are trained: those of the methods, and nothing else.
    ///
    /// - Parameters:
    ///   - digest: the base's digest where it is known already, on a resume.
    ///   - encode: turns text into token ids, for prompts that start as a text.
    /// - Throws: an error naming the selector that fits nothing or the method that does not fit.
    public init(
        _ rules: [TuningRule], tree: ParameterTree, seed: UInt64, digest: String? = nil,
        encode: ((String) -> [Int32])? = nil
    ) throws {
        guard let backend = tree.entries.first?.parameter.value.backend else {
            throw UserError("a model without parameters cannot be tuned", fix: "name another model")
        }
        baseDigest = digest ?? BaseDigest.hex(of: tree)
        context = TuningContext(seed: seed, encode: encode)
        for entry in tree.entries { entry.parameter.isTrainable = false }
        let initializer = Initializer(backend: backend, seed: seed)
        var methods: [AttachedMethod] = []
        do {
            for rule in rules {
                let target = try TuningTarget(rule, tree: tree, initializer: initializer, context: context)
                let attached = try rule.method.attach(to: target)
                attached.rule = rule
                methods.append(attached)
            }
            try Self.requireNames(methods)
        } catch {
            methods.reversed().forEach { $0.remove() }
            throw error
        }
        self.methods = methods
        for entry in methods.flatMap(\.changed.entries) { entry.parameter.isTrainable = true }
    }

    /// Two methods whose parameters have the same names could not be told from each other in a checkpoint.
    private static func requireNames(_ methods: [AttachedMethod]) throws(UserError) {
        var owners: [String: Int] = [:]
        for (index, method) in methods.enumerated() {
            for path in method.added.map(\.path) + method.kept.map(\.name) {
                guard let owner = owners.updateValue(index, forKey: path), owner != index else { continue }
                let names = [owner, index].map { methods[$0].rule.method.name }
                throw UserError(
                    names[0] == names[1]
                        ? "two methods \(names[0]) add \(path)" : "\(names[0]) and \(names[1]) both add \(path)",
                    fix: "choose one of them, or give each a part of the model of its own")
            }
        }
    }

    /// Quantises what methods want quantised. Call when it is settled what is trained, since that is never quantised.
    ///
    /// - Parameter keepsBase: whether the weights come back as they were when the methods are taken away.
    public func settle(keepsBase: Bool = false) {
        for method in methods {
            method.keepsBase = keepsBase
            method.settle?()
        }
    }

    /// Tensors besides parameters that a resumed run must find again.
    public var kept: [(name: String, tensor: Tensor)] { methods.flatMap(\.kept) }

    /// Weights of the base that are kept as codes, and the bytes that those take with their scales.
    public var coded: (weights: Int, bytes: Int) {
        methods.reduce((0, 0)) { ($0.0 + $1.coded.weights, $0.1 + $1.coded.bytes) }
    }

    /// Parameters that are not the model's own, by path.
    public var added: ParameterTree {
        ParameterTree(methods.flatMap(\.added).map { ($0.path, $0.parameter) })
    }

    /// Parameters of the model that are trained.
    public var changed: ParameterTree {
        var seen: Set<ObjectIdentifier> = []
        return ParameterTree(
            methods.flatMap(\.changed.entries).filter { seen.insert(ObjectIdentifier($0.parameter)).inserted })
    }

    /// Factor on a parameter's learning rate.
    public func rateFactor(of parameter: Parameter) -> Double {
        for method in methods { if let factor = method.rateFactors[ObjectIdentifier(parameter)] { return factor } }
        return 1
    }

    /// A training step begins: dropout draws masks, sampled layers change.
    public func begin(step: Int) {
        context.isTraining = true
        context.step = step
        for method in methods { method.willStep?(step) }
    }

    /// Whether samples of different data sources run through different adapters, and so apart.
    public var dividesSources: Bool { methods.contains { $0.selectSource != nil } }

    /// The samples of a data source run next.
    public func select(source: Int) {
        for method in methods { method.selectSource?(source) }
    }

    /// Puts a plain adapter in the place of the one that writes them.
    ///
    /// - Parameters:
    ///   - ids: an instruction's tokens.
    ///   - tree: the model's parameters.
    /// - Returns: the plain adapter at work on the model.
    public func written(from ids: [Int32], tree: ParameterTree) throws -> Tuning {
        guard let writer = methods.first(where: { $0.written != nil }) else {
            throw UserError("this adapter writes no others", fix: "name one that was tuned by \(Hypernetwork.name)")
        }
        guard let (method, tensors) = writer.written?(ids) else {
            throw UserError("the instruction has no tokens", fix: "write a sentence, such as \"Name the shape.\"")
        }
        detach()
        let paths = AdapterFolder.unique(tensors.map(\.site))
        let rule = TuningRule(selector: writer.rule.selector, method: method, paths: paths)
        let tuning = try Tuning([rule], tree: tree, seed: 0, digest: baseDigest)
        for added in tuning.methods.flatMap(\.added) {
            guard let own = tensors.first(where: { $0.site == added.site && $0.name == added.name }) else { continue }
            own.values.withUnsafeBytes { added.parameter.value.backend.upload($0, to: added.parameter.value) }
        }
        return tuning
    }

    /// A training step's gradients are there.
    public func end() { context.isTraining = false }

    /// Why the methods cannot become part of the weights; nil when they can.
    public var mergeObstacle: String? {
        for method in methods where method.fold == nil {
            return method.foldObstacle ?? "\(method.rule.method.name) cannot be written into the weights"
        }
        return nil
    }

    /// Folds every method into the weights and takes it away: the model computes the same without it.
    public func merge() throws {
        if let mergeObstacle {
            throw UserError("merge: \(mergeObstacle)", fix: "keep the adapter's folder and load it with --adapter")
        }
        for method in methods {
            try method.fold?()
            method.remove()
        }
    }

    /// Takes every method away, leaving the base as it is; weights come back where they were kept.
    public func detach() {
        methods.reversed().forEach { $0.remove() }
        for (parameter, value) in replaced { value.backend.copy(value, into: parameter.value) }
        replaced = []
    }

    /// Keeps a copy of weights that an adapter is about to replace.
    func keepBase(of parameter: Parameter) {
        let copy = parameter.value.backend.empty(parameter.shape, parameter.value.dtype)
        copy.backend.copy(parameter.value, into: copy)
        replaced.append((parameter, copy))
    }
}

/// What identifies a base model: its weights, not its folder's name.
public enum BaseDigest {
    /// SHA-256 over every parameter's path and the SHA-256 of its float32 values, in tree order.
    public static func hex(of tree: ParameterTree) -> String {
        let entries = tree.entries
        let threads = entries.first?.parameter.value.backend.threads ?? 1
        var digests = [String](repeating: "", count: entries.count)
        var waiting: [(index: Int, values: Tensor)] = []
        func finish() {
            nonisolated(unsafe) let values = waiting.map(\.values)
            let found = try? Parallel.map(Array(values.indices), workers: threads) { index in
                SHA256.hex(of: UnsafeRawBufferPointer(start: values[index].pointer, count: 4 * values[index].count))
            }
            for (entry, digest) in zip(waiting, found ?? []) { digests[entry.index] = digest }
            waiting = []
        }
        // Floats are read where they lie, on all threads; what is kept in another form becomes floats for as long as that takes.
        var copied = 0
        for (index, entry) in entries.enumerated() {
            let value = entry.parameter.value
            if value.dtype == .float32, entry.parameter.source == nil {
                waiting.append((index, value))
                continue
            }
            waiting.append(
                (index, value.dtype == .float32 ? value : Tensor(value.floats, shape: value.shape, on: value.backend)))
            copied += 4 * value.count
            if copied >= 32 << 20 {
                finish()
                copied = 0
            }
        }
        finish()
        var all = ""
        for (entry, digest) in zip(entries, digests) { all += "\(entry.path) \(entry.parameter.shape) \(digest)\n" }
        return SHA256.hex(of: all)
    }
}
