/// A way to score answers against references.
///
/// A metric reduces each item to a few numbers that add up, and says how their sums become scores. Accuracy over kinds
/// and confidence intervals by resampling then come the same way for means (accuracy), ratios (F1) and corpus formulas
/// (BLEU).
public protocol Metric: Sendable {
    /// The word by which the command line asks for it.
    var name: String { get }
    /// One line for help screens.
    var summary: String { get }

    /// Reduces every item to its statistics.
    /// - Throws: A problem naming an item that the metric cannot score.
    func measure(_ predictions: [Prediction]) throws -> Measurement
}

/// One score with the name under which reports list it.
public struct NamedScore: Equatable, Sendable {
    /// The key in reports, for example `bleu_4`.
    public let name: String
    /// The score, in the metric's own unit: a fraction from 0 to 1, for CIDEr from 0 to 10.
    public let value: Double

    /// Creates a score.
    public init(_ name: String, _ value: Double) {
        self.name = name
        self.value = value
    }
}

/// What a metric found in a set of items.
public struct Measurement: Sendable {
    /// `[items][statistics]`: what each item contributes; all rows have the same length.
    public let statistics: [[Double]]
    /// Whether each item is simply right (1) or wrong (0), which has an exact interval.
    public let isBinary: Bool
    /// Turns the column sums over some items, and their number, into scores; the first is the headline.
    public let combine: @Sendable (_ sums: [Double], _ count: Int) -> [NamedScore]

    /// Creates a measurement from statistics and the way in which their sums are read.
    public init(
        statistics: [[Double]], isBinary: Bool = false,
        combine: @escaping @Sendable (_ sums: [Double], _ count: Int) -> [NamedScore]
    ) {
        self.statistics = statistics
        self.isBinary = isBinary
        self.combine = combine
    }

    /// A measurement whose score is the mean of one value an item.
    public init(meanOf values: [Double], name: String, isBinary: Bool = false) {
        self.init(statistics: values.map { [$0] }, isBinary: isBinary) { sums, count in
            [NamedScore(name, count == 0 ? 0 : sums[0] / Double(count))]
        }
    }

    /// The scores over some of the items, by default all.
    public func scores(over items: [Int]? = nil) -> [NamedScore] {
        let indices = items ?? Array(statistics.indices)
        return combine(sums(over: indices), indices.count)
    }

    /// The headline score of each item by itself.
    public var itemScores: [Double] {
        statistics.map { combine($0, 1).first?.value ?? 0 }
    }

    /// Column sums over the named items, added in the order given.
    func sums(over items: some Sequence<Int>) -> [Double] {
        var sums = [Double](repeating: 0, count: statistics.first?.count ?? 0)
        for item in items {
            for column in sums.indices { sums[column] += statistics[item][column] }
        }
        return sums
    }
}
