/// An expression's tree.
indirect enum Expression: Sendable {
    case string(String)
    case integer(Int)
    case number(Double)
    case bool(Bool)
    case none
    case name(String)
    case list([Expression])
    case dictionary([(key: Expression, value: Expression)])
    case attribute(Expression, String)
    case item(Expression, Expression)
    case slice(Expression, Expression?, Expression?, Expression?)
    case call(Expression, Arguments)
    case filter(Expression, String, Arguments)
    case test(Expression, String, Arguments, isNegated: Bool)
    case unary(String, Expression)
    case binary(String, Expression, Expression)
    /// `a < b <= c`: each value with the next, as in Python.
    case comparison(Expression, [(symbol: String, value: Expression)])
    case conditional(Expression, test: Expression, otherwise: Expression?)
}

/// What stands between the parentheses of a call.
struct Arguments: Sendable {
    var positional: [Expression] = []
    var named: [(name: String, value: Expression)] = []
}

/// A statement with the line it begins on.
struct Statement: Sendable {
    var line: Int
    var kind: Kind

    indirect enum Kind: Sendable {
        case text(String)
        case output(Expression)
        case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
        case loop(Target, Expression, test: Expression?, body: [Statement], otherwise: [Statement])
        case set(Target, Expression)
        case setBlock(Target, [Statement], filters: [(String, Arguments)])
        case macro(Macro)
        case callBlock(Expression, [Statement])
        case filterBlock([(String, Arguments)], [Statement])
        case generation([Statement])
        case stop
        case proceed
    }

    /// What an assignment or a loop gives a value to.
    indirect enum Target: Sendable {
        case name(String)
        case attribute(String, String)
        case tuple([Target])
    }
}

/// A macro's definition.
struct Macro: Sendable {
    var name: String
    var parameters: [(name: String, value: Expression?)]
    var body: [Statement]
}
