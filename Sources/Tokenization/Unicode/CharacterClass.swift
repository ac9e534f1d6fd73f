/// What the split patterns of tokenizers ask about a code point, one byte of flags.
struct CharacterClass: OptionSet, Sendable {
    let rawValue: UInt8

    /// `\p{L}`
    static let letter = CharacterClass(rawValue: 1)
    /// `\p{N}`
    static let number = CharacterClass(rawValue: 2)
    /// `\s`: the White_Space property.
    static let space = CharacterClass(rawValue: 4)
    /// `\p{M}`
    static let mark = CharacterClass(rawValue: 8)
    /// `\p{P}`
    static let punctuation = CharacterClass(rawValue: 16)
    /// `\p{S}`
    static let symbol = CharacterClass(rawValue: 32)
    /// `\r` or `\n`
    static let lineBreak = CharacterClass(rawValue: 64)
    /// An upper-case or title-case letter.
    static let upper = CharacterClass(rawValue: 128)

    /// One byte for each of the 0x110000 code points: 1.1 MB once a process, of which text touches a few cache lines.
    static let table = Table()

    /// The table behind an immutable pointer that lives as long as the process.
    struct Table: @unchecked Sendable {
        // Written only in init, never freed: readers on any thread see the same bytes.
        let bytes: UnsafePointer<UInt8>

        fileprivate init() {
            let count = 0x110000
            let storage = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
            let runs = GeneralCategory.runs
            for (index, run) in runs.enumerated() {
                let start = Int(run >> 5)
                let end = index + 1 < runs.count ? Int(runs[index + 1] >> 5) : count
                let category = GeneralCategory(rawValue: UInt8(run & 31)) ?? .cn
                (storage + start).update(repeating: Self.flags(category).rawValue, count: end - start)
            }
            for range in CharacterClass.whiteSpace {
                for codePoint in range { storage[Int(codePoint)] |= CharacterClass.space.rawValue }
            }
            storage[10] |= CharacterClass.lineBreak.rawValue
            storage[13] |= CharacterClass.lineBreak.rawValue
            bytes = UnsafePointer(storage)
        }

        private static func flags(_ category: GeneralCategory) -> CharacterClass {
            switch category {
            case .lu, .lt: [.letter, .upper]
            case .ll, .lm, .lo: .letter
            case .mc, .me, .mn: .mark
            case .nd, .nl, .no: .number
            case .pc, .pd, .pe, .pf, .pi, .po, .ps: .punctuation
            case .sc, .sk, .sm, .so: .symbol
            case .cn, .cc, .cf, .co, .cs, .zl, .zp, .zs: []
            }
        }
    }

    /// The White_Space property, the same set that Rust's `char::is_whitespace` and Oniguruma's `\s` have.
    static let whiteSpace: [ClosedRange<UInt32>] = [
        0x09...0x0D, 0x20...0x20, 0x85...0x85, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
        0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
    ]

    static func of(_ codePoint: UInt32) -> CharacterClass {
        CharacterClass(rawValue: table.bytes[Int(min(codePoint, 0x10FFFF))])
    }
}
