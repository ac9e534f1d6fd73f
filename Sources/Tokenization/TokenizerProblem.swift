public import Basics

/// What is wrong with a tokenizer's files or with what is asked of it.
public struct TokenizerProblem: Problem, Equatable {
    /// The file or folder.
    public let source: String
    /// The place in it, for example `pre_tokenizer.pretokenizers[0].type`; empty for the whole file.
    public let place: String
    /// What is wrong there.
    public let reason: String
    /// What to do about it.
    public let fix: String?

    init(_ source: String, _ place: String = "", _ reason: String, fix: String? = nil) {
        self.source = source
        self.place = place
        self.reason = reason
        self.fix = fix
    }

    /// What is wrong, and where.
    public var problem: String { place.isEmpty ? "\(source): \(reason)" : "\(source): \(place): \(reason)" }
    /// Problem and fix in one line.
    public var description: String { fix.map { "\(problem) (fix: \($0))" } ?? problem }
}
