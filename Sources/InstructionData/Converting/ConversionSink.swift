/// Where converters put their records and faults.
public final class ConversionSink {
    /// What happened so far.
    public private(set) var report = ConversionReport()

    private let lenient: Bool
    private let imageRootSet: (String) -> Void
    private let write: (ConvertedRecord) throws -> Void
    private let note: (ConversionNotice) throws -> Void

    init(
        lenient: Bool, imageRootSet: @escaping (String) -> Void, write: @escaping (ConvertedRecord) throws -> Void,
        note: @escaping (ConversionNotice) throws -> Void
    ) {
        self.lenient = lenient
        self.imageRootSet = imageRootSet
        self.write = write
        self.note = note
    }

    /// Says which folder or archive the pictures are relative to; to be called before the first record.
    public func setImageRoot(_ path: String) { imageRootSet(path) }

    /// Hands on a record; an empty question or answer is a fault of its line.
    /// - Parameter line: the record's line, counted only when a message needs it.
    public func emit(_ record: ConvertedRecord, path: String, line: @autoclosure () -> Int) throws {
        var record = record
        for exchange in record.exchanges where exchange.answer.trimmed.isEmpty || exchange.question.trimmed.isEmpty {
            let part = exchange.answer.trimmed.isEmpty ? "answer" : "question"
            try fault(
                path: path, line: line(), "the \(part) is empty", fix: "fill it in, or pass --lenient to leave it out")
        }
        record.exchanges.removeAll { $0.answer.trimmed.isEmpty || $0.question.trimmed.isEmpty }
        guard !record.exchanges.isEmpty else { return }
        do { try write(record) } catch let error as PictureFault {
            return try fault(path: path, line: line(), error.reason, fix: error.fix)
        } catch let error as RecordFault {
            return try fault(path: path, line: line(), error.reason, fix: error.fix)
        }
        report.records += 1
        report.exchanges += record.exchanges.count
        report.pictures += record.images.count
    }

    /// A record that can't be used: an error when strict, noted and left out when lenient.
    public func fault(path: String, line: Int, _ reason: String, fix: String?) throws {
        guard lenient else { throw RecordError(path: path, line: line, reason: reason, fix: fix) }
        report.leftOut += 1
        try note(ConversionNotice(path: path, line: line, action: "left out", reason: reason))
    }

    /// A record that was changed so that it can be used.
    public func repaired(path: String, line: Int, _ repair: Repair) throws {
        report.repairs[repair.rawValue, default: 0] += 1
        try note(ConversionNotice(path: path, line: line, action: "repaired", reason: repair.rawValue))
    }
}
