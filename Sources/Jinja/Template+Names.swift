extension Template {
    /// The names that the template takes from its context: used somewhere, and neither set by the template itself nor a
    /// function that every template has.
    public var names: Set<String> {
        var walk = NameWalk()
        walk.visit(body)
        return walk.used.subtracting(walk.assigned).subtracting(Builtins.names)
    }
}

/// Gathers the names of a template's tree.
private struct NameWalk {
    var used: Set<String> = []
    var assigned: Set<String> = ["loop", "caller", "varargs"]

    mutating func visit(_ body: [Statement]) {
        for statement in body { visit(statement.kind) }
    }

    private mutating func visit(_ statement: Statement.Kind) {
        switch statement {
        case .text, .stop, .proceed: break
        case .output(let expression): visit(expression)
        case .condition(let branches, let otherwise):
            for branch in branches {
                visit(branch.test)
                visit(branch.body)
            }
            visit(otherwise)
        case .loop(let target, let list, let test, let body, let otherwise):
            visit(list)
            assign(target)
            if let test { visit(test) }
            visit(body)
            visit(otherwise)
        case .set(let target, let expression):
            visit(expression)
            assign(target)
        case .setBlock(let target, let body, let filters):
            visit(body)
            for filter in filters { visit(filter.1) }
            assign(target)
        case .macro(let macro):
            assigned.insert(macro.name)
            for parameter in macro.parameters {
                assigned.insert(parameter.name)
                if let value = parameter.value { visit(value) }
            }
            visit(macro.body)
        case .callBlock(let expression, let body):
            visit(expression)
            visit(body)
        case .filterBlock(let filters, let body):
            for filter in filters { visit(filter.1) }
            visit(body)
        case .generation(let body): visit(body)
        }
    }

    private mutating func assign(_ target: Statement.Target) {
        switch target {
        case .name(let name): assigned.insert(name)
        case .attribute(let name, _): used.insert(name)
        case .tuple(let targets): for target in targets { assign(target) }
        }
    }

    private mutating func visit(_ arguments: Arguments) {
        for value in arguments.positional { visit(value) }
        for entry in arguments.named { visit(entry.value) }
    }

    private mutating func visit(_ expression: Expression) {
        switch expression {
        case .string, .integer, .number, .bool, .none: break
        case .name(let name): used.insert(name)
        case .list(let members): for member in members { visit(member) }
        case .dictionary(let entries):
            for entry in entries {
                visit(entry.key)
                visit(entry.value)
            }
        case .attribute(let base, _): visit(base)
        case .item(let base, let key):
            visit(base)
            visit(key)
        case .slice(let base, let start, let end, let stride):
            visit(base)
            for bound in [start, end, stride] { if let bound { visit(bound) } }
        case .call(let callee, let arguments):
            visit(callee)
            visit(arguments)
        case .filter(let base, _, let arguments), .test(let base, _, let arguments, _):
            visit(base)
            visit(arguments)
        case .unary(_, let operand): visit(operand)
        case .binary(_, let left, let right):
            visit(left)
            visit(right)
        case .comparison(let first, let rest):
            visit(first)
            for entry in rest { visit(entry.value) }
        case .conditional(let value, let test, let otherwise):
            visit(value)
            visit(test)
            if let otherwise { visit(otherwise) }
        }
    }
}
