import Basics

/// Runs a template's statements.
final class Interpreter {
    /// What the filter `choice` draws from.
    var generator = RandomGenerator(seed: 0)
    private(set) var output: [UInt8] = []
    private(set) var generations: [Range<Int>] = []
    /// The line of the statement at work.
    private(set) var line = 0
    let time: Int?
    let limits: Template.Limits

    private var scopes: [Scope]
    private var steps = 0
    /// How deep blocks, calls, expressions and filters are in one another.
    var depth = 0
    /// The scopes that functions hold.
    private var held: [ObjectIdentifier: Scope] = [:]

    /// How a list of statements ended.
    private enum Flow { case onward, stop, proceed }

    init(_ context: [String: Value], time: Int?, limits: Template.Limits) {
        self.time = time
        self.limits = limits
        var values = context
        for name in Builtins.names where values[name] == nil {
            values[name] = .function(.builtin(name))
        }
        scopes = [Scope(values), Scope()]
    }

    func run(_ body: [Statement]) throws {
        // A macro stands in a scope that it holds: neither would be freed.
        defer { for scope in held.values { scope.values = [:] } }
        _ = try execute(body)
    }

    /// Counts work; a template that does too much, or takes too much of the stack, is stopped.
    func step() throws {
        steps += 1
        guard steps <= limits.steps else { throw Failure("the template does not come to an end") }
        guard depth <= 1_000 else { throw Failure("calls are nested too deeply") }
    }

    func check(length: Int) throws {
        guard length <= limits.output else { throw Failure("the text grows beyond \(limits.output) bytes") }
    }

    /// Looks at the length of a value's text before it is made.
    func checkText(of value: Value) throws {
        var left = limits.output
        value.countText(&left)
        try check(length: left < 0 ? .max : 0)
    }

    func text(of value: Value) throws -> String {
        try checkText(of: value)
        return value.text
    }

    /// Counts the members of a fresh value, and theirs, as work: what shares its members is printed, compared and freed as often as they
    /// stand in it, and what is nested deeply takes a stack.
    func nested(_ value: Value, depth: Int = 0) throws -> Value {
        guard depth < 100 else { throw Failure("values are nested too deeply") }
        try step()
        switch value {
        case .list(let members): for member in members { _ = try nested(member, depth: depth + 1) }
        case .dictionary(let members):
            for entry in members.entries { _ = try nested(entry.value, depth: depth + 1) }
        case .namespace(let namespace):
            for entry in namespace.values { _ = try nested(entry.value, depth: depth + 1) }
        case .function(.method(let value, _)): _ = try nested(value, depth: depth + 1)
        default: break
        }
        return value
    }

    private func execute(_ body: [Statement]) throws -> Flow {
        depth += 1
        defer { depth -= 1 }
        for statement in body {
            line = statement.line
            let flow = try execute(statement.kind)
            if flow != .onward { return flow }
        }
        return .onward
    }

    private func execute(_ statement: Statement.Kind) throws -> Flow {
        try step()
        switch statement {
        case .text(let text): try write(text)
        case .output(let expression): try write(try text(of: try evaluate(expression)))
        case .condition(let branches, let otherwise):
            for branch in branches where try evaluate(branch.test).isTrue { return try execute(branch.body) }
            return try execute(otherwise)
        case .loop(let target, let list, let test, let body, let otherwise):
            return try loop(target, list, test, body, otherwise)
        case .set(let target, let expression):
            try assign(target, try evaluate(expression))
        case .setBlock(let target, let body, let filters):
            try assign(target, try apply(filters, to: .string(try capture(body))))
        case .macro(let macro):
            scopes[scopes.count - 1].values[macro.name] = .function(.macro(macro, hold()))
        case .callBlock(let expression, let body):
            guard case .call(let callee, var arguments) = expression else { throw Failure("expected a macro's call") }
            let name = "caller"
            let scope = Scope([name: .function(.caller(body, hold()))])
            scopes.append(scope)
            defer { scopes.removeLast() }
            arguments.named.append((name, .name(name)))
            try write(try evaluate(.call(callee, arguments)).text)
        case .filterBlock(let filters, let body):
            try write(try apply(filters, to: .string(try capture(body))).text)
        case .generation(let body):
            let start = output.count
            let flow = try execute(body)
            generations.append(start..<output.count)
            return flow
        case .stop: return .stop
        case .proceed: return .proceed
        }
        return .onward
    }

    private func write(_ text: String) throws {
        try check(length: output.count + text.utf8.count)
        output += Array(text.utf8)
    }

    /// The text of statements instead of writing it.
    private func capture(_ body: [Statement]) throws -> String {
        let outer = (output, generations)
        output = []
        defer { (output, generations) = outer }
        _ = try execute(body)
        return String(decoding: output, as: UTF8.self)
    }

    private func apply(_ filters: [(String, Arguments)], to value: Value) throws -> Value {
        try filters.reduce(value) { try Filters.apply($1.0, to: $0, try evaluate($1.1), self) }
    }

    // MARK: - Loops and names

    private func loop(
        _ target: Statement.Target, _ list: Expression, _ test: Expression?, _ body: [Statement],
        _ otherwise: [Statement]
    ) throws -> Flow {
        var members = try evaluate(list).members()
        let scope = Scope()
        scopes.append(scope)
        defer { scopes.removeLast() }
        if let test {
            members = try members.filter { member in
                try step()
                try assign(target, member)
                return try evaluate(test).isTrue
            }
        }
        for (index, member) in members.enumerated() {
            try step()
            scope.values = ["loop": Self.loopState(index, members)]
            try assign(target, member)
            if try execute(body) == .stop { break }
        }
        if members.isEmpty {
            scope.values = [:]
            return try execute(otherwise)
        }
        return .onward
    }

    private static func loopState(_ index: Int, _ members: [Value]) -> Value {
        let count = members.count
        return .namespace(
            Value.Namespace([
                ("index", .integer(index + 1)), ("index0", .integer(index)), ("first", .bool(index == 0)),
                ("last", .bool(index + 1 == count)), ("length", .integer(count)),
                ("revindex", .integer(count - index)), ("revindex0", .integer(count - index - 1)),
                ("previtem", index > 0 ? members[index - 1] : .undefined("previtem")),
                ("nextitem", index + 1 < count ? members[index + 1] : .undefined("nextitem")),
                ("cycle", .function(.method(.integer(index), "cycle"))),
            ]))
    }

    private func assign(_ target: Statement.Target, _ value: Value) throws {
        switch target {
        case .name(let name): scopes[scopes.count - 1].values[name] = value
        case .attribute(let name, let attribute):
            guard case .namespace(let namespace) = lookUp(name) else {
                throw Failure("cannot set an attribute of \"\(name)\", which is no namespace")
            }
            // Other values were counted when they were made.
            if case .namespace = value { _ = try nested(value) }
            namespace[attribute] = value
        case .tuple(let targets):
            let members = try value.members()
            guard members.count == targets.count else {
                throw Failure("\(targets.count) names for \(members.count) values")
            }
            for (target, member) in zip(targets, members) { try assign(target, member) }
        }
    }

    func lookUp(_ name: String) -> Value {
        for scope in scopes.reversed() {
            if let value = scope.values[name] { return value }
        }
        return .undefined(name)
    }

    /// The scopes here, for a function that sees them whenever it is called.
    private func hold() -> [Scope] {
        for scope in scopes { held[ObjectIdentifier(scope)] = scope }
        return scopes
    }

    // MARK: - Calls

    /// Evaluated arguments of a call.
    struct Call {
        var positional: [Value] = []
        var named: [(name: String, value: Value)] = []

        /// The argument at a position or with a name.
        func argument(_ index: Int, _ name: String) -> Value? {
            index < positional.count ? positional[index] : named.first { $0.name == name }?.value
        }
    }

    func evaluate(_ arguments: Arguments) throws -> Call {
        Call(
            positional: try arguments.positional.map(evaluate),
            named: try arguments.named.map { ($0.name, try evaluate($0.value)) })
    }

    func call(_ function: Value.Function, _ call: Call) throws -> Value {
        try step()
        switch function {
        case .builtin(let name): return try Builtins.call(name, call, self)
        case .method(let value, let name): return try Methods.call(name, on: value, call, self)
        case .caller(let body, let closure):
            return try inScopes(closure + [Scope()]) { .string(try capture(body)) }
        case .macro(let macro, let closure):
            let scope = Scope()
            for (index, parameter) in macro.parameters.enumerated() {
                if let value = call.argument(index, parameter.name) {
                    scope.values[parameter.name] = value
                } else if let value = parameter.value {
                    scope.values[parameter.name] = try inScopes(closure + [scope]) { try evaluate(value) }
                } else {
                    scope.values[parameter.name] = .undefined(parameter.name)
                }
            }
            scope.values["varargs"] = try nested(.list(Array(call.positional.dropFirst(macro.parameters.count))))
            if let caller = call.named.first(where: { $0.name == "caller" }) { scope.values["caller"] = caller.value }
            return try inScopes(closure + [scope]) { .string(try capture(macro.body)) }
        }
    }

    private func inScopes(_ inner: [Scope], _ body: () throws -> Value) throws -> Value {
        let outer = scopes
        scopes = inner
        defer { scopes = outer }
        return try body()
    }
}
