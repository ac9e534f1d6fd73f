/// What stands behind a value: members, subscripts, calls, filters and tests.
extension ExpressionParser {
    mutating func postfix(_ value: Expression) throws(JinjaError) -> Expression {
        var value = value
        while true {
            if take(".") {
                if case .integer(let position)? = next {
                    index += 1
                    value = try link(.item(value, .integer(position)))
                } else {
                    value = try link(.attribute(value, try name()))
                }
            } else if take("[") {
                value = try link(try subscripted(value))
            } else if next == .symbol("(") {
                value = try link(.call(value, try arguments()))
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(_ value: Expression) throws(JinjaError) -> Expression {
        var bounds: [Expression?] = [nil]
        var isSlice = false
        while !take("]") {
            if take(":") {
                isSlice = true
                bounds.append(nil)
            } else {
                bounds[bounds.count - 1] = try expression()
                guard next == .symbol(":") || next == .symbol("]") else { throw failure("expected \"]\"") }
            }
        }
        if isSlice, bounds.count <= 3 {
            return .slice(value, bounds[0], bounds[1], bounds.count == 3 ? bounds[2] : nil)
        }
        guard !isSlice, let key = bounds[0] else { throw failure("a subscript is empty") }
        return .item(value, key)
    }

    private mutating func arguments() throws(JinjaError) -> Arguments {
        var result = Arguments()
        try expect("(")
        while !take(")") {
            if case .name(let name)? = next, index + 1 < tokens.count, tokens[index + 1] == .symbol("=") {
                index += 2
                result.named.append((name, try expression()))
            } else {
                result.positional.append(try expression())
            }
            if !take(",") {
                try expect(")")
                break
            }
        }
        return result
    }

    mutating func filters(_ value: Expression) throws(JinjaError) -> Expression {
        var value = value
        while true {
            if take("|") {
                let name = try name()
                value = try link(.filter(value, name, next == .symbol("(") ? try arguments() : Arguments()))
            } else if take(name: "is") {
                value = try link(try test(value))
            } else if next == .symbol("(") {
                value = try link(.call(value, try arguments()))
            } else {
                return value
            }
        }
    }

    private mutating func test(_ value: Expression) throws(JinjaError) -> Expression {
        let isNegated = take(name: "not")
        let name = try name()
        var parameters = Arguments()
        switch next {
        case .symbol("("): parameters = try arguments()
        case .name("else"), .name("or"), .name("and"), .name("if"), .name("is"), .name("in"), .name("not"): break
        case .name, .string, .integer, .number, .symbol("["), .symbol("{"):
            parameters.positional = [try postfix(try primary())]
        default: break
        }
        return .test(value, name, parameters, isNegated: isNegated)
    }

    /// `name(…) | name …`, as block filters write it.
    mutating func filterChain() throws(JinjaError) -> [(String, Arguments)] {
        var result: [(String, Arguments)] = []
        repeat {
            let name = try name()
            result.append((name, next == .symbol("(") ? try arguments() : Arguments()))
        } while take("|")
        return result
    }
}
