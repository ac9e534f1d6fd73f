import Basics
import InstructionData

/// Where a strategy puts what it makes and what it turns down.
public final class GenerationSink {
    private let plan: GenerationPlan
    private let model: String
    private let write: (InstructionRecord) throws -> Void
    private let note: (JSON) throws -> Void
    /// Counts so far.
    public private(set) var report = GenerationReport()
    /// Whether all sources belong to other parts.
    private(set) var isEmptyPart = false
    /// The first text that each filter turned down.
    private(set) var examples: [String: String] = [:]

    init(
        _ plan: GenerationPlan, model: String, write: @escaping (InstructionRecord) throws -> Void,
        note: @escaping (JSON) throws -> Void
    ) {
        self.plan = plan
        self.model = model
        self.write = write
        self.note = note
    }

    /// Says how many sources there are to ask about.
    func begin(_ sources: Int) { isEmptyPart = plan.shard != nil && sources == 0 }

    /// Adds a record; how it came about is kept in it.
    ///
    /// - Parameters:
    ///   - prompt: digest of the prompt file.
    ///   - requests: digests of the requests whose answers it holds.
    ///   - sources: ids of the records or seeds that it was made from.
    func emit(_ record: InstructionRecord, prompt: String, requests: [String], sources: [String]) throws {
        var record = record
        record.metadata["generated"] = [
            "strategy": .string(plan.strategy), "model": .string(model), "prompt": .string(prompt),
            "requests": .array(requests.map { .string($0) }), "sources": .array(sources.map { .string($0) }),
        ]
        try write(record)
        report.records += 1
    }

    /// Counts what was turned down, and writes it to the side file.
    func reject(_ filter: String, _ text: String, request: String? = nil) throws {
        report.rejected[filter, default: 0] += 1
        if examples[filter] == nil {
            examples[filter] = String(text.split(separator: "\n").joined(separator: " ").prefix(200))
        }
        try note([
            "filter": .string(filter), "text": .string(String(text.prefix(2_000))),
            "request": request.map { .string($0) } ?? nil,
        ])
    }

    /// Records that are still asked for.
    var missing: Int { plan.count.map { $0 - report.records } ?? .max }

    /// Whether as many records are there as were asked for.
    var isFull: Bool { plan.count.map { report.records >= $0 } ?? false }
}
