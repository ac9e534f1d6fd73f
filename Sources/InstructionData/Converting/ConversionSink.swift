/// Where converters put their records and faults.
public final class ConversionSink {
    /// What happened so far.
    public private(set) var report = ConversionReport()

    /// Whether the converter picks the records of the part that was asked for itself.
    var selectsPart = false
    /// Makes what is written of a record, on any thread; nil where that must happen in order, one by one. To be asked for
    /// after ``setImageRoot(_:)``.
    var preparation: (@Sendable (ConvertedRecord) -> PreparedRecord)? { prepare() }

    private let lenient: Bool
    private let prepare: () -> (@Sendable (ConvertedRecord) -> PreparedRecord)?
    private let writePrepared: (PreparedRecord) throws -> Void
    private let imageRootSet: (String) -> Void
    private let write: (ConvertedRecord) throws -> Void
    private let note: (ConversionNotice) throws -> Void

    init(
        lenient: Bool, imageRootSet: @escaping (String) -> Void, write: @escaping (ConvertedRecord) throws -> Void,
        prepare: @escaping () -> (@Sendable (ConvertedRecord) -> PreparedRecord)?,
        writePrepared: @escaping (PreparedRecord) throws -> Void, note: @escaping (ConversionNotice) throws -> Void
    ) {
        self.lenient = lenient
        self.prepare = prepare
        self.writePrepared = writePrepared
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
        for exchange in record.exchanges where exchange.isEmpty {
            let part = exchange.answer.trimmed.isEmpty ? "answer" : "question"
            try fault(
                path: path, line: line(), "the \(part) is empty", fix: "fill it in, or pass --lenient to leave it out")
        }
        record.exchanges.removeAll(where: \.isEmpty)
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

    /// Hands on a record that ``preparation`` made.
    func emit(_ prepared: PreparedRecord, path: String, line: @autoclosure () -> Int) throws {
        for reason in prepared.emptyParts {
            try fault(path: path, line: line(), reason, fix: "fill it in, or pass --lenient to leave it out")
        }
        if let problem = prepared.fault { return try fault(path: path, line: line(), problem.reason, fix: problem.fix) }
        guard prepared.exchanges > 0 else { return }
        try writePrepared(prepared)
        report.records += 1
        report.exchanges += prepared.exchanges
        report.pictures += prepared.pictures
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
