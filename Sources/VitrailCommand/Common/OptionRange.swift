import ArgumentParser

extension ClosedRange where Bound: CustomStringConvertible {
    /// Refuses an option's value outside of these bounds; nil, an option that was not given, passes.
    ///
    /// - Throws: `ValidationError`, which names option and bounds and ends the program with 2.
    func check(_ value: Bound?, _ option: String) throws {
        guard let value, !contains(value) else { return }
        throw ValidationError("\(option) \(value) is out of range. Give \(lowerBound) to \(upperBound).")
    }
}

/// Bounds that several commands share.
enum OptionRange {
    /// Records, questions or texts to look at.
    static let limit = 1...1_000_000_000
    /// Threads of one process.
    static let threads = 1...1_024
    /// Tokens of an answer.
    static let newTokens = 1...1_000_000
    /// Timed repetitions.
    static let repeats = 1...10_000
}
