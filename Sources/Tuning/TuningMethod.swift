public import Basics

/// A way of tuning a model that changes few weights, or none of its own: one file over the parameter tree.
///
/// A method is a value: its options. ``attach(to:)`` puts it to work on a selection of a model.
public protocol TuningMethod: Sendable {
    /// Its name in recipes.
    static var name: String { get }
    /// What it does, in one line.
    static var summary: String { get }
    /// Reads the options of a recipe; what is wrong goes to `options`.
    init(_ options: any TuningOptions)
    /// The options, as ``init(_:)`` reads them.
    var json: JSONObject { get }
    /// What reads the adapter's file back: the method itself, unless its file is simpler than its training.
    var saved: any TuningMethod { get }
    /// Changes the model where `target` says, and tells what is trained.
    /// - Throws: ``UnfitMethod`` saying why it does not fit and what does.
    func attach(to target: TuningTarget) throws -> AttachedMethod
}

extension TuningMethod {
    /// Its name in recipes.
    public var name: String { Self.name }
    /// The method itself.
    public var saved: any TuningMethod { self }
}

/// All methods by name.
public enum TuningMethods {
    /// In the order in which they are listed for users.
    public static let all: [any TuningMethod.Type] = [
        FullTuning.self, PartialLayers.self, LoRA.self, IA3.self, BitFit.self, NormTuning.self, BottleneckAdapters.self,
        PromptTuning.self, PTuning.self, IntrinsicPrompt.self, PrefixTuning.self, QLoRA.self, VeRA.self,
        IntrinsicDimension.self, Hypernetwork.self,
    ]

    /// Their names.
    public static var names: [String] { all.map { $0.name } }

    /// A method by name.
    public static func named(_ name: String) -> (any TuningMethod.Type)? { all.first { $0.name == name } }
}

/// A method and what it is applied to.
public struct TuningRule: Sendable {
    /// A part (`language`), or a pattern over paths.
    public var selector: String
    /// The method with its options.
    public var method: any TuningMethod
    /// Exactly these places, for adapters read from files; nil for all that the selector and the method name.
    public var paths: [String]?

    /// A rule.
    public init(selector: String, method: any TuningMethod, paths: [String]? = nil) {
        self.selector = selector
        self.method = method
        self.paths = paths
    }

    /// As in an adapter's configuration.
    var json: JSON {
        var object: JSONObject = ["at": .string(selector), "method": .string(method.name)]
        for (key, value) in method.json { object[key] = value }
        if let paths { object["paths"] = .array(paths.map { .string($0) }) }
        return .object(object)
    }
}

/// A method that does not fit what it was asked to tune.
public struct UnfitMethod: Problem {
    let selector: String
    let method: String
    let reason: String
    let remedy: String

    /// What does not fit.
    public var problem: String { "tune: \(selector): \(method) does not fit: \(reason)" }
    /// What does.
    public var fix: String? { remedy }

    init(_ target: TuningTarget, _ method: String, _ reason: String, fix: String) {
        selector = target.selector
        self.method = method
        self.reason = reason
        remedy = fix
    }
}
