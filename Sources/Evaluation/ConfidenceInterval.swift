import Basics

/// The range that holds a score's true value with 95 % confidence, over the choice of test items.
public struct ConfidenceInterval: Equatable, Sendable {
    /// How an interval was computed.
    public enum Method: String, Equatable, Sendable {
        /// Wilson's score interval for a share of right answers (Wilson 1927); also sound at 0 % and 100 %.
        case wilson
        /// Percentiles of scores over items drawn with replacement (Efron 1979).
        case bootstrap
    }

    /// The lower end.
    public let low: Double
    /// The upper end.
    public let high: Double
    /// How it was computed.
    public let method: Method

    /// The 97.5 % point of the normal distribution.
    private static let z = 1.959963984540054

    /// Wilson's interval for `right` of `count` right answers.
    public static func wilson(right: Double, count: Int) -> ConfidenceInterval? {
        guard count > 0 else { return nil }
        let n = Double(count)
        let share = right / n
        let z2 = z * z
        let centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        let half = z / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n * n)).squareRoot()
        return ConfidenceInterval(
            low: share == 0 ? 0 : max(0, centre - half), high: share == 1 ? 1 : min(1, centre + half),
            method: .wilson)
    }

    /// The percentile interval of the headline score over `resamples` draws; nil for fewer than two items.
    ///
    /// The draws come from `seed`, so the same items always give the same interval.
    public static func bootstrap(
        _ measurement: Measurement, resamples: Int = 1_000, seed: UInt64 = 17
    ) -> ConfidenceInterval? {
        let count = measurement.statistics.count
        guard count > 1, resamples > 1 else { return nil }
        var generator = RandomGenerator(seed: seed)
        var scores: [Double] = []
        scores.reserveCapacity(resamples)
        for _ in 0..<resamples {
            let draw = (0..<count).map { _ in generator.below(count) }
            scores.append(measurement.combine(measurement.sums(over: draw), count).first?.value ?? 0)
        }
        scores.sort()
        return ConfidenceInterval(
            low: percentile(0.025, of: scores), high: percentile(0.975, of: scores), method: .bootstrap)
    }

    /// Linear interpolation between the two nearest of the sorted values.
    private static func percentile(_ share: Double, of sorted: [Double]) -> Double {
        let position = share * Double(sorted.count - 1)
        let lower = Int(position)
        let upper = min(lower + 1, sorted.count - 1)
        return sorted[lower] + (sorted[upper] - sorted[lower]) * (position - Double(lower))
    }
}
