public import Basics

/// What a generation gave.
public struct GenerationReport: Sendable, Equatable {
    /// Records written.
    public var records = 0
    /// What was turned down, by reason.
    public var rejected: [String: Int] = [:]
    /// What asking took.
    public var totals = CompletionClient.Totals()
    /// Why it ended before its work was done.
    public var stopped: String?

    /// The report as JSON.
    public var json: JSON {
        var reasons = JSONObject()
        for (reason, count) in rejected.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            reasons[reason] = .int(count)
        }
        return [
            "records": .int(records), "rejected": .object(reasons), "attempts": .int(totals.attempts),
            "answers": .int(totals.answers), "replayed": .int(totals.replayed), "failures": .int(totals.failures),
            "stopped": stopped.map { .string($0) } ?? nil,
        ]
    }
}
