/// Reads a pattern into its syntax tree.
struct RegexParser {
    let characters: [UInt32]
    var position = 0
    var ignoresCase = false
    private var depth = 0
    /// One above another, on one atom: the tree is as deep as they are many, and what goes through it goes down on the stack.
    private static let mostQuantifiers = 8

    typealias SyntaxError = RegularExpression.SyntaxError

    init(_ source: String) {
        characters = CodePoints.of(source)
    }

    mutating func parse() throws(SyntaxError) -> RegexNode {
        let node = try parseAlternatives()
        guard position == characters.count else { throw failure("unexpected )") }
        return node
    }

    func failure(_ reason: String) -> SyntaxError { SyntaxError(reason: reason, position: position) }

    var next: UInt32? { position < characters.count ? characters[position] : nil }

    mutating func take(_ text: String) -> Bool {
        let wanted = CodePoints.of(text)
        guard characters[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    /// One group or class further in; ``leave()`` at its end.
    mutating func enter() throws(SyntaxError) {
        depth += 1
        guard depth <= 64 else { throw failure("groups and classes are nested too deeply") }
    }

    mutating func leave() { depth -= 1 }

    private mutating func parseAlternatives() throws(SyntaxError) -> RegexNode {
        try enter()
        defer { leave() }
        let outer = ignoresCase
        defer { ignoresCase = outer }
        var alternatives: [RegexNode] = []
        repeat { alternatives.append(try parseSequence()) } while take("|")
        return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
    }

    private mutating func parseSequence() throws(SyntaxError) -> RegexNode {
        var parts: [RegexNode] = []
        while let character = next, character != UInt32(ascii: "|"), character != UInt32(ascii: ")") {
            if take("(?i)") {
                ignoresCase = true
                continue
            }
            let atom = try parseAtom()
            parts.append(try parseQuantifier(atom))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func parseQuantifier(_ atom: RegexNode) throws(SyntaxError) -> RegexNode {
        var node = atom
        var count = 0
        while let character = next {
            var range: (min: Int, max: Int)
            switch character {
            case UInt32(ascii: "?"): range = (0, 1)
            case UInt32(ascii: "*"): range = (0, .max)
            case UInt32(ascii: "+"): range = (1, .max)
            case UInt32(ascii: "{"):
                guard let counted = try parseCount() else { return node }
                range = counted
                position -= 1
            default: return node
            }
            count += 1
            guard count <= Self.mostQuantifiers else {
                throw failure("more than \(Self.mostQuantifiers) quantifiers in a row are not supported")
            }
            position += 1
            var kind = RegularExpression.Repetition.greedy
            if take("?") { kind = .lazy } else if character != UInt32(ascii: "{"), take("+") { kind = .possessive }
            if range.max != .max, range.max > 1000 { throw failure("a count above 1000 is not supported") }
            node = .repetition(node, min: range.min, max: range.max, kind)
        }
        return node
    }

    /// `{m}`, `{m,}`, `{,n}`, `{m,n}`; nil when the brace is a literal.
    private mutating func parseCount() throws(SyntaxError) -> (min: Int, max: Int)? {
        var index = position + 1
        var numbers: [Int?] = [nil]
        while index < characters.count, characters[index] != UInt32(ascii: "}") {
            let character = characters[index]
            if character == UInt32(ascii: ","), numbers.count == 1 {
                numbers.append(nil)
            } else if (48...57).contains(character), (numbers[numbers.count - 1] ?? 0) < 100_000 {
                numbers[numbers.count - 1] = (numbers[numbers.count - 1] ?? 0) * 10 + Int(character - 48)
            } else {
                throw failure("a brace that is no count must be escaped")
            }
            index += 1
        }
        guard index < characters.count, numbers.contains(where: { $0 != nil }) else {
            throw failure("a brace that is no count must be escaped")
        }
        let min = numbers[0] ?? 0
        let max = numbers.count == 1 ? min : numbers[1] ?? .max
        guard min <= 1000, min <= max else { throw failure("the count {\(min),\(max)} is not supported") }
        position = index + 1
        return (min, max)
    }

    private mutating func parseAtom() throws(SyntaxError) -> RegexNode {
        guard let character = next else { throw failure("unexpected end") }
        switch character {
        case UInt32(ascii: "("): return try parseGroup()
        case UInt32(ascii: "["):
            position += 1
            return .set(try parseClass())
        case UInt32(ascii: "."):
            position += 1
            return .set(CodePointSet.newline.negated)
        case UInt32(ascii: "^"):
            position += 1
            return .anchor(.lineStart)
        case UInt32(ascii: "$"):
            position += 1
            return .anchor(.lineEnd)
        case UInt32(ascii: "\\"):
            for (escape, anchor) in [
                ("\\A", RegularExpression.Instruction.textStart), ("\\z", .textEnd),
                ("\\b", .wordBoundary(isNegative: false)), ("\\B", .wordBoundary(isNegative: true)),
            ] where take(escape) {
                return .anchor(anchor)
            }
            return .set(try parseEscape())
        case UInt32(ascii: "*"), UInt32(ascii: "+"), UInt32(ascii: "?"):
            throw failure("nothing to repeat")
        default:
            position += 1
            return .set(literal(character))
        }
    }

    private mutating func parseGroup() throws(SyntaxError) -> RegexNode {
        let outer = ignoresCase
        defer { ignoresCase = outer }
        var wrap: (RegexNode) -> RegexNode = { $0 }
        if take("(?:") {
        } else if take("(?i:") {
            ignoresCase = true
        } else if take("(?=") {
            wrap = { .look($0, isNegative: false) }
        } else if take("(?!") {
            wrap = { .look($0, isNegative: true) }
        } else if take("(?>") {
            wrap = { .atomic($0) }
        } else if take("(?<=") || take("(?<!") {
            let isNegative = characters[position - 1] == UInt32(ascii: "!")
            guard case .set(let set) = try parseAlternatives(), take(")") else {
                throw failure("look-behind of more than one character is not supported")
            }
            return .lookBehind(set, isNegative: isNegative)
        } else if take("(?") {
            throw failure("this kind of group is not supported")
        } else {
            position += 1
        }
        let body = try parseAlternatives()
        guard take(")") else { throw failure("a group is not closed") }
        return wrap(body)
    }

    func literal(_ character: UInt32) -> CodePointSet {
        var set = CodePointSet([character...character])
        if ignoresCase {
            set.foldCase()
            set.prepare()
        }
        return set
    }
}

extension UInt32 {
    init(ascii scalar: Unicode.Scalar) { self = scalar.value }
}
