import Basics
import InstructionData

/// What a cleaning did, as a table.
enum CleaningTable {
    static func tell(_ report: CleaningReport, json: Bool) {
        if json { return Console.out(report.json.serialized()) }
        let rules = report.removed.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        if !rules.isEmpty {
            Console.table([["rule", "removed"]] + rules.map { [$0.key, Formatting.count($0.value)] }, to: Console.out)
        }
        let share = Formatting.decimal(100 * Double(report.kept) / Double(max(1, report.records)), 1)
        Console.out(
            "\(Formatting.count(report.kept)) of \(report.records.counted("record")) kept (\(share) %)"
                + (report.exchanges > 0 ? ", \(report.exchanges.counted("exchange")) taken out of them" : ""))
    }
}
