public import Basics

/// One thing that is wrong with a recipe.
public struct RecipeFault: Hashable, Sendable {
    /// Line of the file, counted from 1; nil for values given with `--set`.
    public let line: Int?
    /// Where in the recipe: `stages[1].learning_rate.peak`.
    public let path: String
    /// What is wrong.
    public let problem: String
    /// What to write instead.
    public let fix: String?
}

/// Everything that is wrong with a recipe, reported at once.
public struct RecipeError: Problem {
    /// The recipe's file.
    public let source: String
    /// All faults, in the order of the file.
    public let faults: [RecipeFault]

    /// What went wrong, and where.
    public var problem: String {
        let lines = faults.map { fault in
            let place = fault.line.map { "\(source):\($0)" } ?? source
            return "\(place): \(fault.path.isEmpty ? "" : fault.path + ": ")\(fault.problem)"
        }
        return lines.joined(separator: "\n")
    }

    /// What to do about it.
    public var fix: String? {
        let fixes = faults.compactMap { fault in
            fault.fix.map { faults.count == 1 || fault.path.isEmpty ? $0 : "\(fault.path): \($0)" }
        }
        return fixes.isEmpty ? "correct what the recipe, or --set, says there" : fixes.joined(separator: "\n")
    }
}
