public import Basics

/// A writing system, for telling apart texts of languages that a data set should not hold.
public enum Script: String, Sendable, CaseIterable {
    case latin, greek, cyrillic, armenian, hebrew, arabic, devanagari, bengali, tamil, thai, georgian, hangul, kana, han

    /// Ranges of code points (Unicode's main and extension blocks of each).
    private var ranges: [ClosedRange<UInt32>] {
        switch self {
        case .latin:
            [0x41...0x5A, 0x61...0x7A, 0xAA...0xAA, 0xBA...0xBA, 0xC0...0x24F, 0x1E00...0x1EFF, 0xFF21...0xFF5A]
        case .greek: [0x370...0x3FF, 0x1F00...0x1FFF]
        case .cyrillic: [0x400...0x52F, 0x1C80...0x1C8F, 0x2DE0...0x2DFF, 0xA640...0xA69F]
        case .armenian: [0x530...0x58F]
        case .hebrew: [0x590...0x5FF, 0xFB1D...0xFB4F]
        case .arabic: [0x600...0x6FF, 0x750...0x77F, 0x8A0...0x8FF, 0xFB50...0xFDFF, 0xFE70...0xFEFF]
        case .devanagari: [0x900...0x97F, 0xA8E0...0xA8FF]
        case .bengali: [0x980...0x9FF]
        case .tamil: [0xB80...0xBFF]
        case .thai: [0xE00...0xE7F]
        case .georgian: [0x10A0...0x10FF, 0x1C90...0x1CBF, 0x2D00...0x2D2F]
        case .hangul: [0x1100...0x11FF, 0x3130...0x318F, 0xA960...0xA97F, 0xAC00...0xD7FF]
        case .kana: [0x3040...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9D]
        case .han: [0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x323AF]
        }
    }

    /// Whether a character belongs to it.
    public func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } }

    /// Whether a character is of a script that puts no spaces between words.
    static func hasNoSpaces(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0xE00 else { return false }
        return [Script.han, .kana, .thai].contains { $0.contains(scalar) }
    }

    /// The share of a text's letters that is written in one of several scripts; 1 when it has no letters.
    public static func share(of scripts: [Script], in text: String) -> Double {
        var (inside, letters) = (0, 0)
        let latin = scripts.contains(.latin)
        for scalar in text.unicodeScalars {
            if scalar.isASCII {
                let lower = scalar.value | 0x20
                guard (97...122).contains(lower) else { continue }
                letters += 1
                if latin { inside += 1 }
            } else if scalar.properties.isAlphabetic {
                letters += 1
                if scripts.contains(where: { $0.contains(scalar) }) { inside += 1 }
            }
        }
        return letters == 0 ? 1 : Double(inside) / Double(letters)
    }

    /// Scripts of a list such as `latin,greek`.
    /// - Throws: `UserError` that lists them.
    public static func list(_ text: String) throws(UserError) -> [Script] {
        var scripts: [Script] = []
        for name in text.split(separator: ",") {
            guard let script = Script(rawValue: String(name)) else {
                let names = allCases.map(\.rawValue)
                throw UserError(
                    "unknown script \"\(name)\"" + Suggestion.phrase(for: String(name), among: names),
                    fix: "scripts: \(names.joined(separator: ", "))")
            }
            scripts.append(script)
        }
        guard !scripts.isEmpty else { throw UserError("no script is named", fix: "write latin,greek") }
        return scripts
    }
}
