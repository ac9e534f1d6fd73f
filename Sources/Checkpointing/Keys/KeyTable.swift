/// Which key of a public checkpoint stands for which parameter: one table a family, read in both directions.
///
///     KeyTable([
///         KeyRule("model.layers.{n}.self_attn.q_proj", "layers.{n}.attention.query"),
///         KeyRule("embeddings.patch_embedding.weight", "patchEmbedding.weight", .shaped([-1, 3, 16, 16])),
///         KeyRule("h.{n}.attn.c_attn", ["layers.{n}.attention.query", …], .transposed),
///     ])
///
/// Reading accepts other spellings of the same keys (``aliases``), named ones are ignored (``ignored``), and every
/// other key must be used. Writing gives the spelling of the rules.
public struct KeyTable: Sendable {
    /// Keys and parameters that correspond.
    public var rules: [KeyRule]
    /// Beginnings of keys that are read as if they were spelled otherwise: `("model.language_model.",
    /// "language_model.model.")`. They are tried in order on keys that no rule knows; an empty `from` adds a prefix.
    public var aliases: [(from: String, to: String)]
    /// Keys that may be there and are not used, with the reason.
    public var ignored: [IgnoredKey]
    /// Keys that may repeat another key's tensor, as tied output heads do.
    public var ties: [TiedKey]

    /// A table of rules and exceptions.
    public init(
        _ rules: [KeyRule], aliases: [(from: String, to: String)] = [], ignored: [IgnoredKey] = [],
        ties: [TiedKey] = []
    ) {
        self.rules = rules
        self.aliases = aliases
        self.ignored = ignored
        self.ties = ties
    }

    /// Both tables' rules and exceptions.
    public static func + (a: KeyTable, b: KeyTable) -> KeyTable {
        KeyTable(
            a.rules + b.rules, aliases: a.aliases + b.aliases, ignored: a.ignored + b.ignored, ties: a.ties + b.ties)
    }

    /// The table of a part, for a model that holds the part under prefixes such as `language_model.` and `language.`.
    public func prefixed(key: String, path: String) -> KeyTable {
        KeyTable(
            rules.map { $0.prefixed(key: key, path: path) }, aliases: aliases.map { (key + $0.from, key + $0.to) },
            ignored: ignored.map { IgnoredKey(key + $0.pattern, because: $0.reason) },
            ties: ties.map { TiedKey(key + $0.key, to: key + $0.original) })
    }
}

/// One line of a ``KeyTable``.
public struct KeyRule: Sendable {
    /// How the file's tensor relates to the parameter's.
    public enum Form: Sendable, Hashable {
        /// The same shape.
        case same
        /// The same elements in the same order under another shape, of which one extent may be -1: what remains.
        case shaped([Int])
        /// A matrix `[inputs, outputs]` in the file, `[outputs, inputs]` here (GPT-2's `Conv1D`); vectors stay.
        case transposed
    }

    let key: KeyPattern
    let paths: [KeyPattern]
    let form: Form

    /// A key and the parameter that it stands for. Both may end before `weight` or `bias`, which then correspond.
    public init(_ key: String, _ path: String, _ form: Form = .same) {
        self.init(key, [path], form)
    }

    /// A key that holds several parameters, their rows one after another.
    public init(_ key: String, _ paths: [String], _ form: Form = .same) {
        self.key = KeyPattern(key)
        self.paths = paths.map { KeyPattern($0) }
        self.form = form
    }

    func prefixed(key prefix: String, path: String) -> KeyRule {
        KeyRule(
            prefix + key.parts.joined(separator: "."), paths.map { path + $0.parts.joined(separator: ".") }, form)
    }
}

/// Keys that a family's checkpoints may hold and a model does not need.
public struct IgnoredKey: Sendable {
    /// A pattern; `{n}`, `*` and a final `**` stand for numbers, any part, any rest.
    public let pattern: String
    /// Why, for reports.
    public let reason: String

    /// Keys that are left out deliberately.
    public init(_ pattern: String, because reason: String) {
        self.pattern = pattern
        self.reason = reason
    }
}

/// A key that repeats another one's tensor.
public struct TiedKey: Sendable {
    /// The repetition, such as `lm_head.weight`.
    public let key: String
    /// What it must equal, such as `model.embed_tokens.weight`.
    public let original: String

    /// A key that is checked to be equal to `original` and is then left out, or stands for it where that is absent.
    public init(_ key: String, to original: String) {
        self.key = key
        self.original = original
    }
}
