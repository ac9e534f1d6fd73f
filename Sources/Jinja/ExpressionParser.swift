/// Reads expressions from the words of one tag, with Jinja's precedence.
struct ExpressionParser {
    let tokens: [Token]
    var index = 0
    private var depth = 0
    private var links = 0
    private let template: String
    private let line: Int
    /// The first word of the tag.
    private(set) var keyword = ""

    init(_ tokens: [Token], _ template: String, _ line: Int) {
        self.tokens = tokens
        self.template = template
        self.line = line
        if case .name(let name)? = tokens.first { keyword = name }
    }

    func failure(_ reason: String) -> JinjaError { JinjaError(template, line, reason) }

    var next: Token? { index < tokens.count ? tokens[index] : nil }

    mutating func take(_ symbol: String) -> Bool {
        guard next == .symbol(symbol) else { return false }
        index += 1
        return true
    }

    mutating func take(name: String) -> Bool {
        guard next == .name(name) else { return false }
        index += 1
        return true
    }

    mutating func expect(_ symbol: String) throws(JinjaError) {
        guard take(symbol) else { throw failure("expected \"\(symbol)\"") }
    }

    mutating func expect(name: String) throws(JinjaError) {
        guard take(name: name) else { throw failure("expected \"\(name)\"") }
    }

    mutating func name() throws(JinjaError) -> String {
        guard case .name(let name)? = next else { throw failure("expected a name") }
        index += 1
        return name
    }

    mutating func finish() throws(JinjaError) {
        guard index == tokens.count else { throw failure("unexpected words at the end of a tag") }
    }

    /// Counts a tree that has another as its first part: such chains grow a level deeper with each word, and what walks through a tree
    /// or frees it takes a stack.
    mutating func link(_ tree: Expression) throws(JinjaError) -> Expression {
        links += 1
        guard links <= 500 else { throw failure("a tag joins more than 500 parts") }
        return tree
    }

    /// `a`, `ns.a`, or `a, b`.
    mutating func target() throws(JinjaError) -> Statement.Target {
        var targets: [Statement.Target] = []
        let isWrapped = take("(")
        repeat {
            let name = try name()
            targets.append(take(".") ? .attribute(name, try self.name()) : .name(name))
        } while take(",")
        if isWrapped { try expect(")") }
        return targets.count == 1 ? targets[0] : .tuple(targets)
    }

    /// One expression, or several with commas as a list.
    mutating func tuple() throws(JinjaError) -> Expression {
        let first = try expression()
        guard next == .symbol(",") else { return first }
        var members = [first]
        while take(","), next != nil { members.append(try expression()) }
        return .list(members)
    }

    mutating func expression(withCondition: Bool = true) throws(JinjaError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 64 else { throw failure("an expression is nested too deeply") }
        var value = try disjunction()
        while withCondition, take(name: "if") {
            let test = try disjunction()
            let otherwise = take(name: "else") ? try expression() : nil
            value = try link(.conditional(value, test: test, otherwise: otherwise))
        }
        return value
    }

    private mutating func disjunction() throws(JinjaError) -> Expression {
        var left = try conjunction()
        while take(name: "or") { left = try link(.binary("or", left, try conjunction())) }
        return left
    }

    private mutating func conjunction() throws(JinjaError) -> Expression {
        var left = try negation()
        while take(name: "and") { left = try link(.binary("and", left, try negation())) }
        return left
    }

    private mutating func negation() throws(JinjaError) -> Expression {
        var count = 0
        while take(name: "not") { count += 1 }
        let value = try comparison()
        guard count > 0 else { return value }
        return count % 2 == 1 ? .unary("not", value) : .unary("not", .unary("not", value))
    }

    private mutating func comparison() throws(JinjaError) -> Expression {
        let first = try sum()
        var rest: [(symbol: String, value: Expression)] = []
        while let symbol = takeComparator() { rest.append((symbol, try sum())) }
        return rest.isEmpty ? first : .comparison(first, rest)
    }

    /// Takes `==`, `in` and the like where one stands next.
    private mutating func takeComparator() -> String? {
        for symbol in ["==", "!=", "<=", ">=", "<", ">"] where take(symbol) { return symbol }
        if take(name: "in") { return "in" }
        guard next == .name("not"), index + 1 < tokens.count, tokens[index + 1] == .name("in") else { return nil }
        index += 2
        return "not in"
    }

    private mutating func sum() throws(JinjaError) -> Expression {
        var left = try concatenation()
        while true {
            if take("+") {
                left = try link(.binary("+", left, try concatenation()))
            } else if take("-") {
                left = try link(.binary("-", left, try concatenation()))
            } else {
                return left
            }
        }
    }

    private mutating func concatenation() throws(JinjaError) -> Expression {
        var left = try product()
        while take("~") { left = try link(.binary("~", left, try product())) }
        return left
    }

    private mutating func product() throws(JinjaError) -> Expression {
        var left = try power()
        while true {
            guard let symbol = ["*", "//", "/", "%"].first(where: { next == .symbol($0) }) else { return left }
            index += 1
            left = try link(.binary(symbol, left, try power()))
        }
    }

    private mutating func power() throws(JinjaError) -> Expression {
        var left = try unary(withFilters: true)
        while take("**") { left = try link(.binary("**", left, try unary(withFilters: true))) }
        return left
    }

    private mutating func unary(withFilters: Bool) throws(JinjaError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 64 else { throw failure("an expression is nested too deeply") }
        var value: Expression
        if take("-") {
            value = .unary("-", try unary(withFilters: false))
        } else if take("+") {
            value = .unary("+", try unary(withFilters: false))
        } else {
            value = try postfix(try primary())
        }
        return withFilters ? try filters(value) : value
    }

    mutating func primary() throws(JinjaError) -> Expression {
        guard let token = next else { throw failure("an expression ends too early") }
        index += 1
        switch token {
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .string(var text):
            while case .string(let more)? = next {
                text += more
                index += 1
            }
            return .string(text)
        case .name(let name):
            switch name {
            case "true", "True": return .bool(true)
            case "false", "False": return .bool(false)
            case "none", "None": return .none
            default: return .name(name)
            }
        case .symbol("("):
            if take(")") { return .list([]) }
            let value = try tupleInParentheses()
            try expect(")")
            return value
        case .symbol("["): return .list(try members(until: "]"))
        case .symbol("{"): return try dictionary()
        case .symbol(let symbol): throw failure("unexpected \"\(symbol)\"")
        }
    }

    private mutating func tupleInParentheses() throws(JinjaError) -> Expression {
        let first = try expression()
        guard next == .symbol(",") else { return first }
        var members = [first]
        while take(","), next != .symbol(")") { members.append(try expression()) }
        return .list(members)
    }

    private mutating func members(until end: String) throws(JinjaError) -> [Expression] {
        var members: [Expression] = []
        while !take(end) {
            members.append(try expression())
            if !take(",") {
                try expect(end)
                break
            }
        }
        return members
    }

    private mutating func dictionary() throws(JinjaError) -> Expression {
        var entries: [(key: Expression, value: Expression)] = []
        while !take("}") {
            let key = try expression()
            try expect(":")
            entries.append((key, try expression()))
            if !take(",") {
                try expect("}")
                break
            }
        }
        return .dictionary(entries)
    }
}
