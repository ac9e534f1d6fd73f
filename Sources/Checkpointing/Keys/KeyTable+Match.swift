import Basics

extension KeyTable {
    /// Where a parameter stands in a file.
    package struct Place {
        /// The key in the spelling of the rules.
        package let key: String
        /// All parameters of that key, in the order of their rows.
        package let paths: [String]
        package let form: KeyRule.Form
    }

    /// The key that holds a parameter; nil when no rule knows its path.
    package func place(ofParameter path: String) -> Place? {
        let parts = KeyPattern.split(path)
        var best: (literals: Int, rule: KeyRule, match: KeyPattern.Match)?
        for rule in rules {
            for pattern in rule.paths {
                guard let match = pattern.match(parts), pattern.literalCount > best?.literals ?? -1 else { continue }
                best = (pattern.literalCount, rule, match)
            }
        }
        return best.map { best in
            Place(
                key: best.rule.key.name(for: best.match), paths: best.rule.paths.map { $0.name(for: best.match) },
                form: best.rule.form)
        }
    }

    /// The spellings that a file's key may stand for: itself, then those of the aliases that apply.
    func spellings(of key: String) -> [String] {
        [key] + aliases.compactMap { key.hasPrefix($0.from) ? $0.to + key.dropFirst($0.from.count) : nil }
    }

    /// Whether a rule knows the key, which need not mean that a model has the parameter.
    func knows(_ key: String) -> Bool {
        let parts = KeyPattern.split(key)
        return rules.contains { $0.key.match(parts) != nil }
    }

    /// Why a key may stay unused; nil when it may not.
    public func reasonToIgnore(_ key: String) -> String? {
        let spellings = spellings(of: key).map { KeyPattern.split($0) }
        return ignored.first { ignored in
            let pattern = KeyPattern(ignored.pattern)
            return spellings.contains { pattern.match($0).map { $0.rest.isEmpty } ?? false }
        }?.reason
    }

    /// The key that a parameter is written under; nil when no rule knows it.
    public func key(ofParameter path: String) -> String? { place(ofParameter: path)?.key }
}
