import Basics
import NeuralNetwork
import TensorCore
import Tuning

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Which parameters a stage trains, and in which learning-rate group each is.
struct TrainableParts {
    /// Names of the groups: the parts of the model, in tree order.
    let names: [String]
    /// Trainable parameters of each group.
    let groups: [ParameterTree]
    /// Factor on the learning rate of each group (LoRA+).
    let factors: [Double]

    /// Marks the parameters that `stage` names as trainable and freezes all others.
    ///
    /// - Parameters:
    ///   - tree: the model's parameters, the stage's own among them.
    ///   - tuning: the methods at work; what they train is trained besides what `train` names.
    /// - Throws: an error naming a pattern that fits nothing, with the nearest part.
    init(_ stage: StageRecipe, _ tree: ParameterTree, tuning: Tuning? = nil) throws {
        let paths = tree.entries.map(\.path)
        let parts = Self.unique(paths.map(Self.part))
        for pattern in stage.train + stage.freeze where !paths.contains(where: { Self.matches($0, pattern) }) {
            throw UserError(
                "stage \"\(stage.name)\": \"\(pattern)\" fits no parameter of this model",
                fix: Suggestion.fix(
                    for: pattern, among: parts,
                    or: "name a part (\(parts.joined(separator: ", "))) or a pattern such as language.layers.0.*"))
        }
        let tuned = Set((tuning?.changed.entries ?? []).map { ObjectIdentifier($0.parameter) })
        for entry in tree.entries {
            entry.parameter.isTrainable =
                (tuned.contains(ObjectIdentifier(entry.parameter))
                    || stage.train.contains { Self.matches(entry.path, $0) })
                && !stage.freeze.contains { Self.matches(entry.path, $0) }
            if !entry.parameter.isTrainable { entry.parameter.dropGradient() }
            guard !entry.parameter.isTrainable || entry.parameter.value.dtype == .float32 else {
                throw UserError(
                    "stage \"\(stage.name)\": \(entry.path) is kept as \(entry.parameter.value.dtype), which cannot be trained",
                    fix: "train the model that it was made from")
            }
        }
        let added = (tuning?.added.entries ?? []).filter { $0.parameter.isTrainable }
        let trained = tree.entries.filter { $0.parameter.isTrainable } + added
        var names: [String] = []
        var groups: [ParameterTree] = []
        var factors: [Double] = []
        for part in parts {
            let own = trained.filter { Self.part($0.path) == part }
            let rates = own.map { tuning?.rateFactor(of: $0.parameter) ?? 1 }
            for factor in Self.unique([1] + rates) {
                names.append(part)
                factors.append(factor)
                groups.append(ParameterTree(zip(own, rates).filter { $0.1 == factor }.map(\.0)))
            }
        }
        (self.names, self.groups, self.factors) = (names, groups, factors)
        guard groups.contains(where: { !$0.entries.isEmpty }) else {
            throw UserError("stage \"\(stage.name)\" trains nothing", fix: "remove freeze:, or name more in train:")
        }
    }

    /// The part that a path belongs to: its first component.
    static func part(_ path: String) -> String { String(path.prefix { $0 != "." }) }

    /// Whether a pattern names a path: a part, a prefix of whole components, or a pattern of the shell.
    static func matches(_ path: String, _ pattern: String) -> Bool {
        path == pattern || path.hasPrefix(pattern + ".") || fnmatch(pattern, path, 0) == 0
    }

    private static func unique<Value: Equatable>(_ names: [Value]) -> [Value] {
        var result: [Value] = []
        for name in names where !result.contains(name) { result.append(name) }
        return result
    }
}
