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

    /// No counts.
    public init() {}

    /// Counts that ``json`` wrote.
    init(_ json: JSON) {
        records = json["records"]?.int ?? 0
        kept = json["kept"]?.int ?? 0
        exchanges = json["removed_exchanges"]?.int ?? 0
        for (rule, count) in json["rules"]?.object ?? [:] { removed[rule] = count.int }
    }

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
    private let sidePath: String?
    private let dataset: InstructionDataset
    private let journal: RunJournal?
    /// Records that are done, from which the same run can go on; at first those of an earlier run.
    private(set) var done: Int
    var report = CleaningReport()

    /// - Parameters:
    ///   - path: the data file to write; nil to count only.
    ///   - key: tells this run from all others, so that it goes on when it was killed.
    init(_ path: String?, dataset: InstructionDataset, resumeKey key: String? = nil) throws {
        self.dataset = dataset
        sidePath = path.map { Paths.join(Paths.parent($0), Paths.stem($0) + ".removed.jsonl") }
        try Files.requireOther([path, sidePath], than: [dataset.path])
        let journal = try path.flatMap { path in try key.map { try RunJournal(beside: path, key: $0) } }
        self.journal = journal
        done = journal?.done ?? 0
        if let journal { report = CleaningReport(journal.counts) }
        func open(_ path: String) throws -> LineFile { try journal?.open(path) ?? LineFile(path) }
        output = try path.map { try RecordOutput($0, folders: [dataset.imageFolder], file: open($0)) }
        side = try sidePath.map { try open($0) }
    }

    /// Notes now and then how far the run is.
    func note(done: Int) throws {
        self.done = done
        try journal?.note(done: done, files, counts: report.json)
    }

    /// Leaves what is done for the same run to go on from; false where none can.
    func keep() throws -> Bool {
        guard let journal, done > 0 else { return false }
        try journal.keep(done: done, files, counts: report.json)
        return true
    }

    private var files: [(path: String, file: LineFile?)] {
        guard let output, let sidePath else { return [] }
        return [(output.path, output.file), (sidePath, side)]
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

    /// - Throws: `UserError` when not one record could be read: that is no data set.
    func commit() throws -> CleaningReport {
        if report.removed["broken"] == report.records, report.records > 0 {
            throw UserError.unreadable(dataset.path, report.records)
        }
        // A full disk shows before any file has its name.
        for file in [side, output?.file] { _ = try file?.settle() }
        try side?.commit()
        try output?.commit()
        try journal?.finish()
        return report
    }
}

extension UserError {
    /// A file of which every record is broken.
    static func unreadable(_ path: String, _ count: Int) -> UserError {
        UserError(
            count == 1
                ? "\(path): its only record cannot be read" : "\(path): none of its \(count) records can be read",
            fix: "see what is wrong with: vitrail data validate '\(path)'")
    }
}
