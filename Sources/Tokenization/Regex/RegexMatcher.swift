/// Runs a compiled pattern at one place of a text.
struct RegexMatcher {
    let bytes: UnsafeBufferPointer<UInt8>
    /// Left for the whole text; a pattern that needs more matches nothing further.
    private var steps: Int
    private var stack: [Choice] = []
    /// Choices that are kept at most, 24 MB; a pattern that needs more is treated as one that needs more steps.
    private static let mostChoices = 1_000_000

    /// A place to go on from when the current way fails.
    private struct Choice {
        var instruction: Int
        var index: Int
        /// For greedy runs: give back characters down to here. -1 for plain alternatives.
        var lowest: Int
    }

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        steps = 10_000 + 2_000 * bytes.count
    }

    /// The end of the match that starts at `start`, nil when there is none.
    mutating func match(_ program: [RegularExpression.Instruction], from start: Int) -> Int? {
        let base = stack.count
        defer { stack.removeLast(stack.count - base) }
        var pc = 0
        var index = start
        while steps > 0 {
            steps -= 1
            var matched = true
            switch program[pc] {
            case .set(let set):
                matched = index < bytes.count
                if matched {
                    let (codePoint, length) = CodePoints.decode(bytes, at: index)
                    matched = set.contains(codePoint)
                    if matched { index += length }
                }
                pc += 1
            case .run(let set, let min, let max, let repetition):
                matched = run(set, min, max, repetition, &pc, &index)
            case .split(let first, let second):
                push(Choice(instruction: second, index: index, lowest: -1))
                pc = first
            case .jump(let target):
                pc = target
            case .look(let body, let isNegative):
                matched = (match(body, from: index) != nil) != isNegative
                pc += 1
            case .lookBehind(let set, let isNegative):
                matched = (codePoint(before: index).map(set.contains) ?? false) != isNegative
                pc += 1
            case .atomic(let body):
                let end = match(body, from: index)
                matched = end != nil
                index = end ?? index
                pc += 1
            case .textStart, .lineStart, .textEnd, .lineEnd, .wordBoundary:
                matched = holds(program[pc], at: index)
                pc += 1
            case .match:
                return index
            }
            if !matched {
                guard stack.count > base else { return nil }
                backtrack(&pc, &index)
            }
        }
        return nil
    }

    private mutating func push(_ choice: Choice) {
        guard stack.count < Self.mostChoices else {
            steps = 0
            return
        }
        stack.append(choice)
    }

    private mutating func backtrack(_ pc: inout Int, _ index: inout Int) {
        let top = stack.count - 1
        pc = stack[top].instruction
        index = stack[top].index
        if stack[top].lowest >= 0, index > stack[top].lowest {
            // A greedy run gives back its last character.
            index -= 1
            while index > 0, bytes[index] & 0xC0 == 0x80 { index -= 1 }
            if index > stack[top].lowest {
                stack[top].index = index
                return
            }
        }
        stack.removeLast()
    }

    private mutating func run(
        _ set: CodePointSet, _ min: Int, _ max: Int, _ repetition: RegularExpression.Repetition, _ pc: inout Int,
        _ index: inout Int
    ) -> Bool {
        var count = 0
        var lowest = index
        let limit = repetition == .lazy ? min : max
        while count < limit, index < bytes.count {
            let (codePoint, length) = CodePoints.decode(bytes, at: index)
            guard set.contains(codePoint) else { break }
            index += length
            count += 1
            if count == min { lowest = index }
        }
        steps -= count / 8
        guard count >= min else { return false }
        if repetition == .greedy, index > lowest {
            push(Choice(instruction: pc + 1, index: index, lowest: lowest))
        }
        pc += 1
        return true
    }

    private func codePoint(before index: Int) -> UInt32? {
        guard index > 0 else { return nil }
        var start = index - 1
        while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return CodePoints.decode(bytes, at: start).codePoint
    }

    private func holds(_ anchor: RegularExpression.Instruction, at index: Int) -> Bool {
        switch anchor {
        case .textStart: return index == 0
        case .textEnd: return index == bytes.count
        case .lineStart: return index == 0 || bytes[index - 1] == 10
        case .lineEnd: return index == bytes.count || bytes[index] == 10
        case .wordBoundary(let isNegative):
            let before = codePoint(before: index).map(CodePointSet.word.contains) ?? false
            let after = index < bytes.count && CodePointSet.word.contains(CodePoints.decode(bytes, at: index).codePoint)
            return (before != after) != isNegative
        default: return false
        }
    }
}
