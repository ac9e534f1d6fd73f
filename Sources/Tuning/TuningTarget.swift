import Basics
public import NeuralNetwork
public import TensorCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a method is applied to: a selection of a model.
public struct TuningTarget {
    /// The selection as the user wrote it.
    public let selector: String
    /// All parameters and places of the model.
    public let tree: ParameterTree
    /// The parameters selected.
    public let parameters: ParameterTree
    /// The places selected.
    public let sites: [(path: String, site: any TuningSite)]
    /// Makes new parameters.
    public let initializer: Initializer
    /// Whether the model trains, for dropout.
    public let context: TuningContext
    /// Exactly these places, when the adapter comes from a file.
    let paths: [String]?
    /// Whether `maps` looks beyond those places.
    var ignoresPaths = false

    init(_ rule: TuningRule, tree: ParameterTree, initializer: Initializer, context: TuningContext) throws {
        selector = rule.selector
        self.tree = tree
        self.initializer = initializer
        self.context = context
        paths = rule.paths
        let selector = rule.selector
        parameters = tree.filter { Self.matches($0.path, selector) }
        sites = tree.sites.filter { Self.matches($0.path, selector) }
        guard !parameters.entries.isEmpty || !sites.isEmpty else {
            var parts: [String] = []
            for entry in tree.entries {
                let part = String(entry.path.prefix { $0 != "." })
                if !parts.contains(part) { parts.append(part) }
            }
            throw UserError(
                "tune: \"\(selector)\" fits no parameter of this model",
                fix: Suggestion.fix(
                    for: selector, among: parts,
                    or: "name a part (\(parts.joined(separator: ", "))) or a pattern such as language.layers.0.*"))
        }
    }

    /// The processor that holds the model.
    public var backend: any Backend { initializer.backend }

    /// The linear maps that a method changes.
    ///
    /// - Parameter targets: names of maps (`query`, or `q_proj` as in Hugging Face), patterns over paths, or `all-linear`; nil for every
    ///   map of the blocks, and of a part without blocks every map.
    func maps(_ targets: [String]?, for method: String) throws -> [(path: String, map: Linear)] {
        let maps = sites.compactMap { site in (site.site as? Linear).map { (path: site.path, map: $0) } }
        if let paths, !ignoresPaths { return maps.filter { paths.contains($0.path) } }
        // The vocabulary's map has rows for every token: it is left alone unless named.
        let inner = maps.filter { Self.lastName($0.path) != "head" }
        let blocks = inner.filter { $0.path.split(separator: ".").contains("layers") }
        let usual = blocks.isEmpty ? inner : blocks
        guard let targets, targets != ["all-linear"] else {
            guard !usual.isEmpty else {
                throw UnfitMethod(self, method, "there is no linear map in it", fix: "name a part such as language")
            }
            return usual
        }
        var chosen: [(path: String, map: Linear)] = []
        for map in maps
        where targets.contains(where: { Self.names(map.path, $0) }) && !chosen.contains(where: { $0.path == map.path })
        {
            chosen.append(map)
        }
        for target in targets where !maps.contains(where: { Self.names($0.path, target) }) {
            var known: [String] = []
            for map in maps where !known.contains(Self.lastName(map.path)) { known.append(Self.lastName(map.path)) }
            throw UserError(
                "tune: \(selector): target \"\(target)\" fits no linear map",
                fix: Suggestion.fix(for: target, among: known))
        }
        return chosen
    }

    /// Whether a pattern names a path: itself, a prefix of whole components, or a pattern of the shell.
    static func matches(_ path: String, _ pattern: String) -> Bool {
        pattern.isEmpty || pattern == "*" || path == pattern || path.hasPrefix(pattern + ".")
            || fnmatch(pattern, path, 0) == 0
    }

    static func lastName(_ path: String) -> String { path.split(separator: ".").last.map(String.init) ?? path }

    /// Whether a target's name means a map.
    static func names(_ path: String, _ target: String) -> Bool {
        let own = publicNames[target] ?? target
        return path == own || path.hasSuffix("." + own) || (own.contains("*") && fnmatch(own, path, 0) == 0)
    }

    /// Hugging Face's names of the maps.
    private static let publicNames = [
        "q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output", "out_proj": "output",
        "gate_proj": "gate", "up_proj": "up", "down_proj": "down", "fc1": "first", "fc2": "second",
        "linear_1": "first", "linear_2": "second", "lm_head": "head",
    ]
}

/// Whether a tuned model is training, and which step: what dropout's masks depend on.
public final class TuningContext {
    /// True while a training step runs; masks are drawn then only.
    public var isTraining = false
    /// Number of the step; masks are a function of it.
    public var step = 0
    /// Turns text into token ids, where a tokenizer is at hand.
    public let encode: ((String) -> [Int32])?
    private let seed: UInt64
    private var places: UInt64 = 0

    init(seed: UInt64, encode: ((String) -> [Int32])?) {
        self.seed = seed
        self.encode = encode
    }

    /// A place of dropout of its own.
    func place() -> UInt64 {
        places += 1
        return places
    }

    /// The mask's seed at a place in this step, nil outside training.
    func dropoutSeed(_ place: UInt64) -> UInt64? {
        guard isTraining else { return nil }
        var generator = RandomGenerator(seed: seed &+ UInt64(step) &* 0x9E37_79B9_7F4A_7C15, stream: place)
        return generator.next()
    }
}
