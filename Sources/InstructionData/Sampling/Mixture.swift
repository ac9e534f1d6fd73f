public import Basics

/// How much of each data set an epoch holds.
///
/// With weight 1 each record comes exactly once an epoch. Weight 2 shows each twice; 1.5 shows each once and half of
/// them, another half every epoch, a second time; 0.25 shows another quarter each epoch, so that four epochs show
/// each once. A data set is read as one endless row of shuffled passes, and an epoch takes its next share of it.
public struct Mixture: Sendable, Equatable {
    /// One data set of a mixture.
    public struct Component: Sendable, Equatable {
        /// A name for messages and records of the run, usually the path.
        public var name: String
        /// Records in the data set.
        public var count: Int
        /// Which of them take part.
        public var selection: Selection
        /// How often each is shown an epoch, on average (only with rule `.weights`).
        public var weight: Double

        /// All records once by default.
        public init(name: String, count: Int, selection: Selection = .all, weight: Double = 1) {
            self.name = name
            self.count = count
            self.selection = selection
            self.weight = weight
        }
    }

    /// How the shares follow from the sizes.
    public enum Rule: Sendable, Equatable {
        /// Each component its records times its weight.
        case weights
        /// Each component its records, but at most `cap` an epoch (Flan's examples-proportional mixing).
        case proportional(cap: Int)
        /// Shares ∝ min(records, cap)^(1/temperature), with as many samples in all as proportional mixing has
        /// (mT5's and T5's temperature mixing; 1 is proportional, large values approach equal shares).
        case temperature(Double, cap: Int? = nil)
    }

    /// The data sets.
    public let components: [Component]
    /// How their shares follow.
    public let rule: Rule

    /// Checks and holds a mixture.
    /// - Throws: `UserError` when it is empty, or a weight, cap or temperature makes no sense, or a weight stands beside another
    ///   rule than that of weights.
    public init(_ components: [Component], rule: Rule = .weights) throws(UserError) {
        self.components = components
        self.rule = rule
        guard !components.isEmpty else {
            throw UserError("the data list is empty", fix: "name at least one data set under data:")
        }
        for component in components {
            guard component.weight.isFinite, component.weight >= 0, component.weight <= 1e6 else {
                throw UserError(
                    "\(component.name): weight \(component.weight) is out of range", fix: "give 0 to 1000000")
            }
            guard component.count <= Int(UInt32.max) else {
                throw UserError("\(component.name) has over 4 billion records", fix: "split it")
            }
        }
        if rule != .weights, let component = components.first(where: { $0.weight != 1 }) {
            throw UserError(
                "\(component.name): weight \(component.weight) has no meaning where shares follow from sizes",
                fix: "leave the weight out, or mix by weights")
        }
        switch rule {
        case .weights: break
        case .proportional(let cap):
            guard cap > 0 else { throw UserError("mixture cap \(cap) is not positive", fix: "give 1 or more") }
        case .temperature(let temperature, let cap):
            // Below, the powers of large data sets would leave the range of numbers.
            guard temperature.isFinite, temperature >= 0.1 else {
                throw UserError(
                    "mixture temperature \(temperature) is out of range", fix: "give 1 (proportional) or more")
            }
            guard cap ?? 1 > 0 else { throw UserError("mixture cap is not positive", fix: "give 1 or more") }
        }
        guard quotas().reduce(0, +) > 0 else {
            throw UserError(
                "the mixture holds no samples (\(components.map(\.name).joined(separator: ", ")))",
                fix: "raise a weight or a selection")
        }
    }

    /// Records of each component that take part.
    public var selectedCounts: [Int] {
        components.map { component in
            switch component.selection {
            case .all: component.count
            case .first(let amount), .last(let amount), .random(let amount): amount.resolved(of: component.count)
            }
        }
    }

    /// Samples of each component in one epoch.
    public func quotas() -> [Int] {
        let counts = selectedCounts
        switch rule {
        case .weights:
            return zip(components, counts).map { Int((Double($1) * $0.weight).rounded()) }
        case .proportional(let cap):
            return counts.map { min($0, cap) }
        case .temperature(let temperature, let cap):
            let capped = counts.map { min($0, cap ?? $0) }
            let shares = capped.map { $0 == 0 ? 0 : Numbers.power(Double($0), 1 / temperature) }
            return Self.apportion(capped.reduce(0, +), by: shares)
        }
    }

    /// Whole numbers in the given shares with the given sum (largest remainders; ties to the earlier).
    static func apportion(_ total: Int, by shares: [Double]) -> [Int] {
        let sum = shares.reduce(0, +)
        guard sum > 0 else { return shares.map { _ in 0 } }
        let exact = shares.map { Double(total) * $0 / sum }
        var whole = exact.map { Int($0) }
        let missing = total - whole.reduce(0, +)
        let byRemainder = exact.indices.sorted { a, b in
            let (left, right) = (exact[a] - Double(whole[a]), exact[b] - Double(whole[b]))
            return left == right ? a < b : left > right
        }
        for index in byRemainder.prefix(max(0, missing)) { whole[index] += 1 }
        return whole
    }
}
