extension Interpreter {
    /// The value of an expression.
    func evaluate(_ expression: Expression) throws -> Value {
        depth += 1
        defer { depth -= 1 }
        try step()
        switch expression {
        case .string(let text): return .string(text)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .bool(let value): return .bool(value)
        case .none: return .none
        case .name(let name): return lookUp(name)
        case .list(let members): return try nested(.list(try members.map(evaluate)))
        case .dictionary(let entries):
            var result = Value.Dictionary()
            for entry in entries { result.set(try evaluate(entry.key), try evaluate(entry.value)) }
            return try nested(.dictionary(result))
        case .attribute(let base, let name): return try attribute(try evaluate(base), name)
        case .item(let base, let key): return try item(try evaluate(base), try evaluate(key))
        case .slice(let base, let start, let end, let stride):
            return try slice(
                try evaluate(base), try start.map(evaluate), try end.map(evaluate), try stride.map(evaluate))
        case .call(let callee, let arguments):
            let value = try evaluate(callee)
            guard case .function(let function) = value else { throw Failure("\(value.typeName) cannot be called") }
            return try call(function, try evaluate(arguments))
        case .filter(let base, let name, let arguments):
            return try Filters.apply(name, to: try evaluate(base), try evaluate(arguments), self)
        case .test(let base, let name, let arguments, let isNegated):
            return .bool(try Tests.holds(name, try evaluate(base), try evaluate(arguments).positional) != isNegated)
        case .unary(let symbol, let operand): return try unary(symbol, try evaluate(operand))
        case .binary(let symbol, let left, let right): return try binary(symbol, left, right)
        case .comparison(let first, let rest): return .bool(try holds(first, rest))
        case .conditional(let value, let test, let otherwise):
            if try evaluate(test).isTrue { return try evaluate(value) }
            return try otherwise.map(evaluate) ?? .undefined("the else of a condition")
        }
    }

    /// A method first, then a member: `x.items` is the method even for a dictionary with that key.
    func attribute(_ value: Value, _ name: String) throws -> Value {
        if Methods.exists(name, on: value) { return .function(.method(value, name)) }
        switch value {
        case .dictionary(let members): return members[.string(name)] ?? .undefined(name)
        case .namespace(let namespace): return namespace[name] ?? .undefined(name)
        case .undefined: throw Failure("\(value.typeName) has no attribute \"\(name)\"")
        default: return .undefined(name)
        }
    }

    func item(_ value: Value, _ key: Value) throws -> Value {
        switch value {
        case .dictionary(let members): return members[key] ?? .undefined(key.text)
        case .namespace(let namespace): return namespace[key.text] ?? .undefined(key.text)
        case .list, .string:
            guard let position = key.asInteger else {
                if case .string(let name) = key { return try attribute(value, name) }
                throw Failure("\(key.typeName) is no position in a list")
            }
            let members = try value.members()
            let index = position < 0 ? position + members.count : position
            return members.indices.contains(index) ? members[index] : .undefined("item \(position)")
        case .undefined: throw Failure("\(value.typeName) has no item \(key.representation)")
        default: return .undefined(key.text)
        }
    }

    private func slice(_ value: Value, _ start: Value?, _ end: Value?, _ stride: Value?) throws -> Value {
        func bound(_ value: Value?) throws -> Int? {
            guard let value else { return nil }
            if case .none = value { return nil }
            guard let integer = value.asInteger else { throw Failure("a slice needs integers") }
            return integer
        }
        if case .undefined = value { throw Failure("\(value.typeName) cannot be sliced") }
        let members = try value.members()
        let step = try bound(stride) ?? 1
        guard step != 0, step > Int.min / 2, step < Int.max / 2 else {
            throw Failure("a slice's step cannot be \(step)")
        }
        func clamped(_ position: Int?, _ fallback: Int) -> Int {
            guard let position else { return fallback }
            let index = position < 0 ? max(position, -members.count - 1) + members.count : min(position, members.count)
            return step > 0 ? max(index, 0) : max(min(index, members.count - 1), -1)
        }
        let first = clamped(try bound(start), step > 0 ? 0 : members.count - 1)
        let last = clamped(try bound(end), step > 0 ? members.count : -1)
        let chosen = Swift.stride(from: first, to: last, by: step).map { members[$0] }
        if case .string = value { return .string(chosen.map(\.text).joined()) }
        return .list(chosen)
    }

    private func unary(_ symbol: String, _ value: Value) throws -> Value {
        if symbol == "not" { return .bool(!value.isTrue) }
        if let integer = value.asInteger {
            if symbol == "+" { return .integer(integer) }
            let (negated, overflow) = Int(0).subtractingReportingOverflow(integer)
            if !overflow { return .integer(negated) }
        }
        guard let number = value.asNumber else { throw Failure("\(value.typeName) has no sign") }
        return .number(symbol == "-" ? -number : number)
    }

    private func holds(_ first: Expression, _ rest: [(symbol: String, value: Expression)]) throws -> Bool {
        var left = try evaluate(first)
        for (symbol, expression) in rest {
            let right = try evaluate(expression)
            guard try holds(symbol, left, right) else { return false }
            left = right
        }
        return true
    }

    private func holds(_ symbol: String, _ left: Value, _ right: Value) throws -> Bool {
        switch symbol {
        case "==": return left.equals(right)
        case "!=": return !left.equals(right)
        case "<": return try left.compare(right) < 0
        case "<=": return try left.compare(right) <= 0
        case ">": return try left.compare(right) > 0
        case ">=": return try left.compare(right) >= 0
        case "in": return try Tests.contains(right, left)
        default: return try !Tests.contains(right, left)
        }
    }

    private func binary(_ symbol: String, _ leftExpression: Expression, _ rightExpression: Expression) throws -> Value {
        let left = try evaluate(leftExpression)
        // These two look at the right side only where they need it, and give one of the sides.
        if symbol == "and" { return left.isTrue ? try evaluate(rightExpression) : left }
        if symbol == "or" { return left.isTrue ? left : try evaluate(rightExpression) }
        let right = try evaluate(rightExpression)
        switch symbol {
        case "~":
            let (before, after) = (try text(of: left), try text(of: right))
            try check(length: before.utf8.count + after.utf8.count)
            return .string(before + after)
        default: return try Arithmetic.apply(symbol, left, right, self)
        }
    }
}

/// `+ - * / // % **` with Python's meaning.
enum Arithmetic {
    static func apply(_ symbol: String, _ left: Value, _ right: Value, _ interpreter: Interpreter) throws -> Value {
        switch (left, right, symbol) {
        case (.string(let a), .string(let b), "+"):
            try interpreter.check(length: a.utf8.count + b.utf8.count)
            return .string(a + b)
        case (.list(let a), .list(let b), "+"):
            try interpreter.check(length: (a.count + b.count) * 16)
            return .list(a + b)
        case (.string(let text), _, "*"):
            guard let count = right.asInteger else { break }
            let (length, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(count, 0))
            try interpreter.check(length: overflow ? Int.max : length)
            return .string(String(repeating: text, count: max(count, 0)))
        default: break
        }
        if let a = left.asInteger, let b = right.asInteger, symbol != "/", symbol != "**" {
            if let value = try integers(symbol, a, b) { return .integer(value) }
        }
        guard let a = left.asNumber, let b = right.asNumber else {
            throw Failure("\(symbol) cannot join \(left.typeName) and \(right.typeName)")
        }
        switch symbol {
        case "+": return .number(a + b)
        case "-": return .number(a - b)
        case "*": return .number(a * b)
        case "**": return try power(left, right)
        default:
            guard b != 0 else { throw Failure("division by zero") }
            if symbol == "/" { return .number(a / b) }
            let quotient = (a / b).rounded(.down)
            return .number(symbol == "//" ? quotient : a - quotient * b)
        }
    }

    private static func integers(_ symbol: String, _ a: Int, _ b: Int) throws -> Int? {
        var result: (partialValue: Int, overflow: Bool)
        switch symbol {
        case "+": result = a.addingReportingOverflow(b)
        case "-": result = a.subtractingReportingOverflow(b)
        case "*": result = a.multipliedReportingOverflow(by: b)
        default:
            guard b != 0 else { throw Failure("division by zero") }
            let (quotient, overflow) = a.dividedReportingOverflow(by: b)
            if overflow { return nil }
            let remainder = a % b
            // Python rounds down, and the remainder has the divisor's sign.
            let isUneven = remainder != 0 && (remainder < 0) != (b < 0)
            result = (symbol == "//" ? quotient - (isUneven ? 1 : 0) : remainder + (isUneven ? b : 0), false)
        }
        guard !result.overflow else { throw Failure("an integer is too large") }
        return result.partialValue
    }

    private static func power(_ left: Value, _ right: Value) throws -> Value {
        guard let base = left.asInteger, let exponent = right.asInteger, exponent >= 0, exponent < 64 else {
            throw Failure("this power is not supported")
        }
        var value = 1
        for _ in 0..<exponent {
            let (next, overflow) = value.multipliedReportingOverflow(by: base)
            guard !overflow else { throw Failure("an integer is too large") }
            value = next
        }
        return .integer(value)
    }
}
