/// An error that a user can act on: it says what is wrong and where, and what to do about it.
///
/// The command line prints it as `error: <problem>` and, on the next line, `fix: <fix>`.
public protocol Problem: Error, CustomStringConvertible, Sendable {
    /// What is wrong and where: names the file, the line or the key, without a full stop at the end.
    var problem: String { get }

    /// What the user can do about it, as an instruction.
    var fix: String? { get }
}

extension Problem {
    /// No advice beyond the problem itself.
    public var fix: String? { nil }

    /// The problem and, on a second line, the fix.
    public var description: String {
        fix.map { "\(problem)\nfix: \($0)" } ?? problem
    }
}

/// The plain carrier for problems that no caller needs to tell apart.
public struct UserError: Problem, Equatable {
    /// What is wrong and where.
    public let problem: String
    /// What the user can do about it.
    public let fix: String?

    /// An error with the two texts given.
    public init(_ problem: String, fix: String? = nil) {
        self.problem = problem
        self.fix = fix
    }
}
