/// Reads the statements of a template.
struct Parser {
    private var parts: [Part]
    private var index = 0
    private var depth = 0
    private let template: String

    init(_ source: String, template: String, trimsBlocks: Bool) throws(JinjaError) {
        self.template = template
        var lexer = Lexer(source, trimsBlocks: trimsBlocks)
        do {
            parts = try lexer.cut()
        } catch {
            throw JinjaError(template, error.line, error.reason)
        }
    }

    mutating func parse() throws(JinjaError) -> [Statement] {
        let (body, _) = try block(until: [], opened: 1)
        return body
    }

    /// Statements up to a closing tag, which is taken; its words are returned.
    private mutating func block(
        until ends: Set<String>, opened line: Int
    ) throws(JinjaError) -> (body: [Statement], end: ExpressionParser) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 64 else { throw JinjaError(template, line, "blocks are nested too deeply") }
        var body: [Statement] = []
        while index < parts.count {
            let part = parts[index]
            index += 1
            switch part {
            case .text(let text):
                body.append(Statement(line: line, kind: .text(text)))
            case .expression(let tokens, let line):
                var parser = ExpressionParser(tokens, template, line)
                let expression = try parser.expression()
                try parser.finish()
                body.append(Statement(line: line, kind: .output(expression)))
            case .statement(let tokens, let line):
                var parser = ExpressionParser(tokens, template, line)
                let keyword = try parser.name()
                if ends.contains(keyword) { return (body, parser) }
                body.append(Statement(line: line, kind: try statement(keyword, &parser, line)))
            }
        }
        guard ends.isEmpty else {
            throw JinjaError(
                template, line, "a block is not closed: \(ends.sorted().joined(separator: " or ")) is missing")
        }
        return (body, ExpressionParser([], template, line))
    }

    private mutating func statement(
        _ keyword: String, _ parser: inout ExpressionParser, _ line: Int
    ) throws(JinjaError) -> Statement.Kind {
        switch keyword {
        case "if": return try condition(&parser, line)
        case "for": return try loop(&parser, line)
        case "set": return try set(&parser, line)
        case "macro": return try macro(&parser, line)
        case "generation":
            try parser.finish()
            return .generation(try block(until: ["endgeneration"], opened: line).body)
        case "break":
            return .stop
        case "continue":
            return .proceed
        case "call":
            let call = try parser.expression()
            return .callBlock(call, try block(until: ["endcall"], opened: line).body)
        case "filter":
            let filters = try parser.filterChain()
            return .filterBlock(filters, try block(until: ["endfilter"], opened: line).body)
        default:
            throw JinjaError(template, line, "the tag \"\(keyword)\" is not supported here")
        }
    }

    private mutating func condition(_ parser: inout ExpressionParser, _ line: Int) throws(JinjaError) -> Statement.Kind
    {
        var branches: [(test: Expression, body: [Statement])] = []
        var test = try parser.expression()
        try parser.finish()
        while true {
            var (body, end) = try block(until: ["elif", "else", "endif"], opened: line)
            branches.append((test, body))
            switch end.keyword {
            case "elif":
                test = try end.expression()
                try end.finish()
            case "else":
                return .condition(branches, otherwise: try block(until: ["endif"], opened: line).body)
            default:
                return .condition(branches, otherwise: [])
            }
        }
    }

    private mutating func loop(_ parser: inout ExpressionParser, _ line: Int) throws(JinjaError) -> Statement.Kind {
        let target = try parser.target()
        try parser.expect(name: "in")
        let list = try parser.expression(withCondition: false)
        var test: Expression?
        if parser.take(name: "if") { test = try parser.expression() }
        guard !parser.take(name: "recursive") else {
            throw JinjaError(template, line, "recursive loops are not supported")
        }
        try parser.finish()
        let (body, end) = try block(until: ["else", "endfor"], opened: line)
        let otherwise = end.keyword == "else" ? try block(until: ["endfor"], opened: line).body : []
        return .loop(target, list, test: test, body: body, otherwise: otherwise)
    }

    private mutating func set(_ parser: inout ExpressionParser, _ line: Int) throws(JinjaError) -> Statement.Kind {
        let target = try parser.target()
        if parser.take("=") {
            let value = try parser.tuple()
            try parser.finish()
            return .set(target, value)
        }
        let filters = parser.take("|") ? try parser.filterChain() : []
        try parser.finish()
        return .setBlock(target, try block(until: ["endset"], opened: line).body, filters: filters)
    }

    private mutating func macro(_ parser: inout ExpressionParser, _ line: Int) throws(JinjaError) -> Statement.Kind {
        let name = try parser.name()
        var parameters: [(name: String, value: Expression?)] = []
        try parser.expect("(")
        while !parser.take(")") {
            let parameter = try parser.name()
            parameters.append((parameter, parser.take("=") ? try parser.expression() : nil))
            if !parser.take(",") {
                try parser.expect(")")
                break
            }
        }
        try parser.finish()
        let body = try block(until: ["endmacro"], opened: line).body
        return .macro(Macro(name: name, parameters: parameters, body: body))
    }
}
