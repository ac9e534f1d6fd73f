public import Basics

/// Which records of a data set take part.
public enum Selection: Sendable, Equatable {
    /// Every record.
    case all
    /// The first records of the file.
    case first(Amount)
    /// The last records of the file.
    case last(Amount)
    /// Records drawn without repetition from the seed.
    case random(Amount)

    /// A number of records, or a share of them.
    public enum Amount: Sendable, Equatable {
        /// At most so many records.
        case count(Int)
        /// A percentage, 0 to 100; rounded to the nearest record.
        case percent(Double)

        /// How many of `total` that is.
        public func resolved(of total: Int) -> Int {
            switch self {
            case .count(let count): max(0, min(count, total))
            case .percent(let share): max(0, min(total, Int((Double(total) * share / 100).rounded())))
            }
        }
    }

    /// Reads `all`, `first:1000`, `last:10%`, `random:25%`.
    /// - Throws: `UserError` that shows the forms.
    public init(_ text: String) throws(UserError) {
        func refused(_ what: String) -> UserError {
            UserError("selection \"\(text)\": \(what)", fix: "write all, first:1000, last:10%, or random:25%")
        }
        if text == "all" {
            self = .all
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw refused("no such form") }
        let amount: Amount
        if parts[1].hasSuffix("%") {
            guard let share = Double(parts[1].dropLast()), (0...100).contains(share) else {
                throw refused("the percentage must be 0 to 100")
            }
            amount = .percent(share)
        } else {
            guard let count = Int(parts[1]), count >= 0 else {
                throw refused("the number must be a whole one from 0 up")
            }
            amount = .count(count)
        }
        switch parts[0] {
        case "first", "start": self = .first(amount)
        case "last", "end": self = .last(amount)
        case "random": self = .random(amount)
        default:
            throw refused(
                "unknown word \"\(parts[0])\""
                    + Suggestion.phrase(for: String(parts[0]), among: ["first", "last", "random"]))
        }
    }

    /// The chosen positions of `total` records, ascending.
    public func positions(of total: Int, seed: UInt64, stream: UInt64) -> ContiguousArray<UInt32> {
        switch self {
        case .all:
            return ContiguousArray(0..<UInt32(total))
        case .first(let amount):
            return ContiguousArray(0..<UInt32(amount.resolved(of: total)))
        case .last(let amount):
            return ContiguousArray(UInt32(total - amount.resolved(of: total))..<UInt32(total))
        case .random(let amount):
            var order = ContiguousArray(0..<UInt32(total))
            var generator = RandomGenerator(seed: seed, stream: stream)
            generator.shuffle(&order)
            return ContiguousArray(order.prefix(amount.resolved(of: total)).sorted())
        }
    }
}
