import Basics

/// A record as the lines that are written of it, made on any thread.
struct PreparedRecord: Sendable {
    /// Lines of the data file.
    var lines: [String] = []
    /// Lines of the evaluation file.
    var evaluation: [String] = []
    /// Exchanges that were kept.
    var exchanges = 0
    /// Pictures that the record names.
    var pictures = 0
    /// Exchanges that were left out because a side is empty.
    var emptyParts: [String] = []
    /// Why the record can't be written.
    var fault: RecordFault?

    init(
        _ record: ConvertedRecord, templates: TemplateDraw?, keepsTasks: Bool, writes: (data: Bool, evaluation: Bool),
        placed: (ImageReference) -> ImageReference
    ) {
        var record = record
        for exchange in record.exchanges where exchange.isEmpty {
            emptyParts.append("the \(exchange.answer.trimmed.isEmpty ? "answer" : "question") is empty")
        }
        record.exchanges.removeAll(where: \.isEmpty)
        exchanges = record.exchanges.count
        pictures = record.images.count
        guard exchanges > 0 else { return }
        do {
            for var recast in try templates?.recast(record) ?? [record] {
                recast.images = recast.images.map(placed)
                if writes.evaluation { evaluation += recast.evaluationLines.map { $0.serialized() } }
                if keepsTasks { recast.metadata["tasks"] = recast.tasks }
                if writes.data { lines.append(recast.llava.serialized()) }
            }
        } catch {
            fault = error as? RecordFault ?? RecordFault(SampleSource.words(of: error).problem)
        }
    }
}

extension Exchange {
    /// Whether a side has no text.
    var isEmpty: Bool { answer.trimmed.isEmpty || question.trimmed.isEmpty }
}
