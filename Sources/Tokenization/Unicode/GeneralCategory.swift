/// The general category of a code point, Unicode 16.0; raw values are the order of the generated table.
enum GeneralCategory: UInt8, CaseIterable, Sendable {
    case cn, cc, cf, co, cs, ll, lm, lo, lt, lu, mc, me, mn, nd, nl, no
    case pc, pd, pe, pf, pi, po, ps, sc, sk, sm, so, zl, zp, zs

    /// The two-letter or one-letter property name of regular expressions (`L`, `Lu`, `Nd`), nil when there is none.
    static func set(named name: String) -> Set<GeneralCategory>? {
        let wanted = name.lowercased()
        let matching = allCases.filter { "\($0)".hasPrefix(wanted) }
        return matching.isEmpty || wanted.isEmpty ? nil : Set(matching)
    }

    /// The category of a code point below 0x110000.
    static func of(_ codePoint: UInt32) -> GeneralCategory {
        let target = codePoint << 5 | 31
        var low = 0
        var high = runs.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if runs[middle] <= target { low = middle } else { high = middle }
        }
        return GeneralCategory(rawValue: UInt8(runs[low] & 31)) ?? .cn
    }
}
