public import Basics

/// One metric's result over a set of predictions.
public struct MetricReport: Equatable, Sendable {
    /// The score over the items of one kind.
    public struct Kind: Equatable, Sendable {
        /// The kind's name.
        public let name: String
        /// The headline score over its items.
        public let score: Double
        /// The number of its items.
        public let count: Int
    }

    /// The metric's name.
    public let metric: String
    /// The headline score.
    public let score: Double
    /// The number of items.
    public let count: Int
    /// The headline score's 95 % interval; nil for fewer than two items.
    public let interval: ConfidenceInterval?
    /// Every score of the metric, the headline first.
    public let components: [NamedScore]
    /// The headline score of each kind, by name; empty when no item has a kind.
    public let kinds: [Kind]

    /// Scores predictions with a metric.
    /// - Throws: A problem naming an item that the metric cannot score.
    public init(_ metric: any Metric, _ predictions: [Prediction]) throws {
        let measurement = try metric.measure(predictions)
        self.metric = metric.name
        components = measurement.scores()
        score = components.first?.value ?? 0
        count = predictions.count
        interval =
            measurement.isBinary
            ? .wilson(right: measurement.sums(over: predictions.indices).first ?? 0, count: predictions.count)
            : .bootstrap(measurement)
        var members: [String: [Int]] = [:]
        for (index, prediction) in predictions.enumerated() {
            if let kind = prediction.kind { members[kind, default: []].append(index) }
        }
        kinds = members.keys.sorted().map { name in
            let items = members[name] ?? []
            return Kind(name: name, score: measurement.scores(over: items).first?.value ?? 0, count: items.count)
        }
    }

    /// The report as JSON: `metric`, `score`, `count`, and where present `interval`, `components`, `kinds`.
    public var json: JSON {
        var object = JSONObject()
        object["metric"] = .string(metric)
        object["score"] = .number(score)
        object["count"] = .int(count)
        if let interval {
            object["interval"] = [
                "low": .number(interval.low), "high": .number(interval.high), "level": 0.95,
                "method": .string(interval.method.rawValue),
            ]
        }
        if components.count > 1 {
            object["components"] = .object(JSONObject(components.map { ($0.name, .number($0.value)) }))
        }
        if !kinds.isEmpty {
            object["kinds"] = .object(
                JSONObject(kinds.map { ($0.name, ["score": .number($0.score), "count": .int($0.count)]) }))
        }
        return .object(object)
    }
}
