public import Basics

/// What a cleaning kept and took out.
public struct CleaningReport: Sendable, Equatable {
    /// Records read.
    public var records = 0
    /// Records written.
    public var kept = 0
    /// Exchanges taken out of records that were kept.
    public var exchanges = 0
    /// Pictures looked at.
    public var pictures = 0
    /// Removals by rule: records and exchanges.
    public var removed: [String: Int] = [:]

    /// Records taken out.
    public var gone: Int { records - kept }

    /// The report as JSON, rules by frequency.
    public var json: JSON {
        var rules = JSONObject()
        for (rule, count) in removed.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            rules[rule] = .int(count)
        }
        return [
            "records": .int(records), "kept": .int(kept), "removed_records": .int(gone),
            "removed_exchanges": .int(exchanges), "pictures": .int(pictures), "rules": .object(rules),
        ]
    }
}

/// One line of `<output>.removed.jsonl`.
struct Removal: Sendable {
    var id: String
    var rule: String
    var reason: String
    /// Which exchange of the record went, from 0; nil for the whole record.
    var exchange: Int?
    /// The record that this one repeats.
    var of: String?

    func json(line: Int) -> JSON {
        var object: JSONObject = ["id": .string(id), "line": .int(line)]
        if let exchange { object["exchange"] = .int(exchange) }
        object["rule"] = .string(rule)
        object["reason"] = .string(reason)
        if let of { object["of"] = .string(of) }
        return .object(object)
    }
}

/// Where cleaned records go: kept ones to the output, reasons to the side file.
final class CleaningOutput {
    let output: RecordOutput?
    private let side: LineFile?
    private let dataset: InstructionDataset
    var report = CleaningReport()

    /// - Parameter path: the data file to write; nil to count only.
    init(_ path: String?, dataset: InstructionDataset) throws {
        self.dataset = dataset
        output = try path.map { try RecordOutput($0, folders: [dataset.imageFolder]) }
        side = try path.map { try LineFile(Paths.join(Paths.parent($0), Paths.stem($0) + ".removed.jsonl")) }
    }

    /// Adds the lines of records that are kept.
    func keep(_ lines: JSONText, count: Int) throws {
        report.kept += count
        try output?.append(lines)
    }

    func remove(_ removal: Removal, at position: Int) throws {
        report.removed[removal.rule, default: 0] += 1
        try side?.appendLine(removal.json(line: dataset.line(at: position)).serialized())
    }

    func commit() throws -> CleaningReport {
        try side?.commit()
        try output?.commit()
        return report
    }
}
