extension RegexParser {
    /// A class after its opening bracket.
    mutating func parseClass() throws(SyntaxError) -> CodePointSet {
        try enter()
        defer { leave() }
        var set = CodePointSet()
        let isNegated = take("^")
        var isFirst = true
        while true {
            guard let character = next else { throw failure("a class is not closed") }
            if character == UInt32(ascii: "]"), !isFirst { break }
            isFirst = false
            if take("&&") {
                set.intersect(try parseClassRest())
                continue
            }
            if take("[:") { throw failure("POSIX classes are not supported") }
            if character == UInt32(ascii: "[") {
                position += 1
                set.insert(try parseClass())
                continue
            }
            guard let low = try parseClassMember(&set) else { continue }
            if next == UInt32(ascii: "-"), position + 1 < characters.count,
                characters[position + 1] != UInt32(ascii: "]")
            {
                position += 1
                var other = CodePointSet()
                guard let high = try parseClassMember(&other), low <= high else { throw failure("not a range") }
                set.insert(low...high)
            } else {
                set.insert(low...low)
            }
        }
        position += 1
        if ignoresCase { set.foldCase() }
        set.isNegated = isNegated
        set.prepare()
        return set
    }

    /// What follows `&&` up to the end of the class, which stays to be read.
    private mutating func parseClassRest() throws(SyntaxError) -> CodePointSet {
        var set = CodePointSet()
        while let character = next, character != UInt32(ascii: "]"), !characters[position...].starts(with: [38, 38]) {
            if character == UInt32(ascii: "[") {
                position += 1
                set.insert(try parseClass())
            } else if let member = try parseClassMember(&set) {
                set.insert(member...member)
            }
        }
        return set
    }

    /// One character, returned; or an escape for a set, inserted.
    private mutating func parseClassMember(_ set: inout CodePointSet) throws(SyntaxError) -> UInt32? {
        guard let character = next else { throw failure("a class is not closed") }
        guard character == UInt32(ascii: "\\") else {
            position += 1
            return character
        }
        if let single = try parseCharacterEscape() { return single }
        set.insert(try parseEscape())
        return nil
    }

    /// An escape that stands for one character; nil when it stands for a set, which stays to be read.
    mutating func parseCharacterEscape() throws(SyntaxError) -> UInt32? {
        guard position + 1 < characters.count else { throw failure("a backslash at the end") }
        let letter = characters[position + 1]
        let simple: [Unicode.Scalar: UInt32] = ["n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "a": 7, "e": 27, "0": 0]
        guard let scalar = Unicode.Scalar(letter) else { throw failure("not a character") }
        if let value = simple[scalar] {
            position += 2
            return value
        }
        switch scalar {
        case "x", "u": return try parseHexadecimal()
        case "s", "S", "d", "D", "w", "W", "p", "P", "h", "H": return nil
        default:
            guard !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
                throw failure("the escape \\\(scalar) is not supported")
            }
            position += 2
            return letter
        }
    }

    private mutating func parseHexadecimal() throws(SyntaxError) -> UInt32 {
        let isLong = characters[position + 1] == UInt32(ascii: "u")
        position += 2
        let isBraced = take("{")
        var value: UInt32 = 0
        var count = 0
        while count < (isBraced ? 6 : isLong ? 4 : 2), let character = next,
            let digit = Unicode.Scalar(character).flatMap({ Character($0).hexDigitValue })
        {
            value = value * 16 + UInt32(digit)
            position += 1
            count += 1
        }
        guard count > 0, !isBraced || take("}"), value <= 0x10FFFF else { throw failure("not a hexadecimal character") }
        return value
    }

    /// An escape outside or inside a class, as a set.
    mutating func parseEscape() throws(SyntaxError) -> CodePointSet {
        if let character = try parseCharacterEscape() { return literal(character) }
        let letter = characters[position + 1]
        position += 2
        switch letter {
        case UInt32(ascii: "s"): return .space
        case UInt32(ascii: "S"): return CodePointSet.space.negated
        case UInt32(ascii: "d"): return .digit
        case UInt32(ascii: "D"): return CodePointSet.digit.negated
        case UInt32(ascii: "w"): return .word
        case UInt32(ascii: "W"): return CodePointSet.word.negated
        case UInt32(ascii: "p"), UInt32(ascii: "P"): return try parseProperty(isNegated: letter == UInt32(ascii: "P"))
        default: throw failure("this escape is not supported")
        }
    }

    private mutating func parseProperty(isNegated: Bool) throws(SyntaxError) -> CodePointSet {
        guard take("{") else { throw failure("expected { after \\p") }
        var isNegated = isNegated
        if take("^") { isNegated.toggle() }
        var name = ""
        while let character = next, character != UInt32(ascii: "}"), let scalar = Unicode.Scalar(character) {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard take("}") else { throw failure("a property is not closed") }
        guard let set = Self.property(name) else { throw failure("the property \\p{\(name)} is not supported") }
        return isNegated ? set.negated : set
    }

    private static func property(_ name: String) -> CodePointSet? {
        if let scripts = UnicodeScripts.ranges(named: name) { return CodePointSet(scripts) }
        guard name.utf8.count <= 2, let categories = GeneralCategory.set(named: name) else { return nil }
        return CodePointSet([], categories: categories)
    }
}
