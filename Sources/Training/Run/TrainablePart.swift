import Basics
import NeuralNetwork
import TensorCore

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

    /// Marks the parameters that `stage` names as trainable and freezes all others.
    ///
    /// - Parameters:
    ///   - tree: the model's parameters, the stage's own among them.
    /// - Throws: an error naming a pattern that fits nothing, with the nearest part.
    init(_ stage: StageRecipe, _ tree: ParameterTree) throws {
        let paths = tree.entries.map(\.path)
        let parts = Self.unique(paths.map(Self.part))
        for pattern in stage.train + stage.freeze where !paths.contains(where: { Self.matches($0, pattern) }) {
            let nearest = Suggestion.nearest(to: pattern, among: parts)
            throw UserError(
                "stage \"\(stage.name)\": \"\(pattern)\" fits no parameter of this model",
                fix: nearest.map { "write \"\($0)\"" }
                    ?? "name a part (\(parts.joined(separator: ", "))) or a pattern such as language.layers.0.*")
        }
        for entry in tree.entries {
            entry.parameter.isTrainable =
                stage.train.contains { Self.matches(entry.path, $0) }
                && !stage.freeze.contains { Self.matches(entry.path, $0) }
            if !entry.parameter.isTrainable { entry.parameter.dropGradient() }
        }
        names = parts
        groups = parts.map { part in tree.filter { Self.part($0.path) == part && $0.parameter.isTrainable } }
    }

    /// The part that a path belongs to: its first component.
    static func part(_ path: String) -> String { String(path.prefix { $0 != "." }) }

    /// Whether a pattern names a path: a part, a prefix of whole components, or a pattern of the shell.
    static func matches(_ path: String, _ pattern: String) -> Bool {
        path == pattern || path.hasPrefix(pattern + ".") || fnmatch(pattern, path, 0) == 0
    }

    private static func unique(_ names: [String]) -> [String] {
        var result: [String] = []
        for name in names where !result.contains(name) { result.append(name) }
        return result
    }
}
