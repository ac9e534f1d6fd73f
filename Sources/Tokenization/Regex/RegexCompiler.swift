/// The syntax tree of a pattern.
indirect enum RegexNode: Sendable {
    case empty
    case set(CodePointSet)
    case sequence([RegexNode])
    case alternatives([RegexNode])
    case repetition(RegexNode, min: Int, max: Int, RegularExpression.Repetition)
    case look(RegexNode, isNegative: Bool)
    case lookBehind(CodePointSet, isNegative: Bool)
    case atomic(RegexNode)
    case anchor(RegularExpression.Instruction)

    /// Whether the node can match nothing.
    var isNullable: Bool {
        switch self {
        case .empty, .look, .lookBehind, .anchor: true
        case .set: false
        case .sequence(let parts): parts.allSatisfy(\.isNullable)
        case .alternatives(let parts): parts.contains(where: \.isNullable)
        case .repetition(let body, let min, _, _): min == 0 || body.isNullable
        case .atomic(let body): body.isNullable
        }
    }
}

/// Lays a syntax tree out as instructions.
struct RegexCompiler {
    private var program: [RegularExpression.Instruction] = []
    /// Instructions of the finished programs inside look-aheads and atomic groups: each use has its own.
    private var nested = 0
    /// Nodes laid out, with those inside: repetitions of something empty take time and emit nothing.
    private var visits = 0

    static func compile(_ node: RegexNode) throws(RegularExpression.SyntaxError) -> [RegularExpression.Instruction] {
        var compiler = RegexCompiler()
        return try compiler.finish(node)
    }

    private mutating func finish(
        _ node: RegexNode
    ) throws(RegularExpression.SyntaxError) -> [RegularExpression.Instruction] {
        try emit(node)
        program.append(.match)
        return program
    }

    /// The program of a look-ahead or an atomic group, which counts as a part of this one.
    private mutating func inner(
        _ node: RegexNode
    ) throws(RegularExpression.SyntaxError) -> [RegularExpression.Instruction] {
        var compiler = RegexCompiler()
        compiler.nested = nested + program.count
        compiler.visits = visits
        let result = try compiler.finish(node)
        nested = compiler.nested + result.count - program.count
        visits = compiler.visits
        return result
    }

    private mutating func emit(_ node: RegexNode) throws(RegularExpression.SyntaxError) {
        visits += 1
        guard program.count + nested < 20_000, visits < 200_000 else {
            throw RegularExpression.SyntaxError(reason: "the pattern is too large", position: 0)
        }
        switch node {
        case .empty: break
        case .set(let set): program.append(.set(set))
        case .sequence(let parts):
            for part in parts { try emit(part) }
        case .alternatives(let parts): try emitAlternatives(parts)
        case .repetition(let body, let min, let max, let kind): try emitRepetition(body, min, max, kind)
        case .look(let body, let isNegative):
            program.append(.look(try inner(body), isNegative: isNegative))
        case .lookBehind(let set, let isNegative): program.append(.lookBehind(set, isNegative: isNegative))
        case .atomic(let body): program.append(.atomic(try inner(body)))
        case .anchor(let instruction): program.append(instruction)
        }
    }

    private mutating func emitAlternatives(_ parts: [RegexNode]) throws(RegularExpression.SyntaxError) {
        var exits: [Int] = []
        for (index, part) in parts.enumerated() {
            guard index + 1 < parts.count else {
                try emit(part)
                break
            }
            let fork = program.count
            program.append(.match)
            try emit(part)
            exits.append(program.count)
            program.append(.match)
            program[fork] = .split(fork + 1, program.count)
        }
        for exit in exits { program[exit] = .jump(program.count) }
    }

    private mutating func emitRepetition(
        _ body: RegexNode, _ min: Int, _ max: Int, _ kind: RegularExpression.Repetition
    ) throws(RegularExpression.SyntaxError) {
        if case .set(let set) = body, kind != .lazy {
            program.append(.run(set, min: min, max: max, kind))
            return
        }
        if kind == .possessive {
            return try emit(.atomic(.repetition(body, min: min, max: max, .greedy)))
        }
        if max == Int.max, body.isNullable {
            throw RegularExpression.SyntaxError(
                reason: "endless repetition of something that can be empty is not supported", position: 0)
        }
        for _ in 0..<min { try emit(body) }
        if max == Int.max {
            let fork = program.count
            program.append(.match)
            try emit(body)
            program.append(.jump(fork))
            program[fork] = kind == .lazy ? .split(program.count, fork + 1) : .split(fork + 1, program.count)
            return
        }
        var forks: [Int] = []
        for _ in min..<Swift.max(min, max) {
            forks.append(program.count)
            program.append(.match)
            try emit(body)
        }
        for fork in forks {
            program[fork] = kind == .lazy ? .split(program.count, fork + 1) : .split(fork + 1, program.count)
        }
    }
}
