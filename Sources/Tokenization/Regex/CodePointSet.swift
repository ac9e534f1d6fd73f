/// A set of code points as regular expressions write them: characters, ranges, categories, and their complements.
struct CodePointSet: Sendable, Equatable {
    private var ranges: [ClosedRange<UInt32>] = []
    /// Bit n: general category with raw value n.
    private var categories: UInt32 = 0
    private var subsets: [CodePointSet] = []
    private var intersections: [CodePointSet] = []
    var isNegated = false
    /// Membership of U+0000 to U+007F, worked out once.
    private var ascii: (low: UInt64, high: UInt64) = (0, 0)

    static func == (left: CodePointSet, right: CodePointSet) -> Bool {
        left.ranges == right.ranges && left.categories == right.categories && left.subsets == right.subsets
            && left.intersections == right.intersections && left.isNegated == right.isNegated
    }

    init() {}

    init(_ ranges: [ClosedRange<UInt32>], categories wanted: Set<GeneralCategory> = []) {
        self.ranges = ranges
        for category in wanted { categories |= 1 << UInt32(category.rawValue) }
        prepare()
    }

    mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }
    mutating func insert(_ set: CodePointSet) { subsets.append(set) }
    mutating func intersect(_ set: CodePointSet) { intersections.append(set) }

    /// Adds the other case of the characters in the set, as far as it is one character.
    mutating func foldCase() {
        for range in ranges where range.count <= 512 {
            for codePoint in range { ranges += Self.otherCases(codePoint).map { $0...$0 } }
        }
    }

    static func otherCases(_ codePoint: UInt32) -> [UInt32] {
        guard let scalar = Unicode.Scalar(codePoint) else { return [] }
        var result = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
            .compactMap { $0.unicodeScalars.count == 1 ? $0.unicodeScalars.first?.value : nil }
        // The two letters outside Latin-1 that fold to ASCII.
        if codePoint == 0x73 || codePoint == 0x53 { result.append(0x17F) }
        if codePoint == 0x6B || codePoint == 0x4B { result.append(0x212A) }
        return result.filter { $0 != codePoint }
    }

    /// Works out the ASCII members; call after the last change.
    mutating func prepare() {
        ascii = (0, 0)
        for codePoint in UInt32(0)..<64 where slowContains(codePoint) { ascii.low |= 1 << UInt64(codePoint) }
        for codePoint in UInt32(64)..<128 where slowContains(codePoint) { ascii.high |= 1 << UInt64(codePoint - 64) }
    }

    @inline(__always)
    func contains(_ codePoint: UInt32) -> Bool {
        if codePoint < 64 { return ascii.low >> UInt64(codePoint) & 1 != 0 }
        if codePoint < 128 { return ascii.high >> UInt64(codePoint - 64) & 1 != 0 }
        return slowContains(codePoint)
    }

    private func slowContains(_ codePoint: UInt32) -> Bool {
        let found =
            categories >> UInt32(GeneralCategory.table[codePoint]) & 1 != 0
            || ranges.contains { $0.contains(codePoint) } || subsets.contains { $0.slowContains(codePoint) }
        return (found && intersections.allSatisfy { $0.slowContains(codePoint) }) != isNegated
    }

    var negated: CodePointSet {
        var copy = self
        copy.isNegated.toggle()
        copy.prepare()
        return copy
    }

    static let any = CodePointSet([0...0x10FFFF])
    static let newline = CodePointSet([10...10])
    static let space = CodePointSet(CharacterClass.whiteSpace)
    static let digit = CodePointSet([], categories: [.nd])
    /// Alphabetic, marks, decimal digits and connectors (Unicode TR18; the circled letters are Other_Alphabetic).
    ///
    /// Oniguruma also counts the six Latin-1 superscripts and fractions.
    static let word = CodePointSet(
        [
            0xB2...0xB3, 0xB9...0xB9, 0xBC...0xBE, 0x24B6...0x24E9, 0x1F130...0x1F149, 0x1F150...0x1F169,
            0x1F170...0x1F189,
        ],
        categories: [.lu, .ll, .lt, .lm, .lo, .mn, .mc, .me, .nd, .nl, .pc])
}

extension GeneralCategory {
    /// The raw category of each code point in one table, for the sets of regular expressions.
    static let table = CategoryTable()

    struct CategoryTable: @unchecked Sendable {
        // Written only in init, never freed.
        private let bytes: UnsafePointer<UInt8>

        fileprivate init() {
            let storage = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
            for (index, run) in GeneralCategory.runs.enumerated() {
                let start = Int(run >> 5)
                let isLast = index + 1 == GeneralCategory.runs.count
                let end = isLast ? 0x110000 : Int(GeneralCategory.runs[index + 1] >> 5)
                (storage + start).update(repeating: UInt8(run & 31), count: end - start)
            }
            bytes = UnsafePointer(storage)
        }

        subscript(codePoint: UInt32) -> UInt8 { bytes[Int(min(codePoint, 0x10FFFF))] }
    }
}
