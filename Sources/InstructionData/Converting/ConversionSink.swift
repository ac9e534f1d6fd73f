/// Where converters put their records and faults.
public final class ConversionSink {
    /// What happened so far.
    public private(set) var report = ConversionReport()

    /// Whether the converter picks the records of the part that was asked for itself.
    var selectsPart = false
    /// How many records there are at most, when the converter knows.
    var count: Int?
    /// Makes what is written of records, on any thread; nil where that must happen in order, one by one. To be asked for
    /// after ``setImageRoot(_:)``.
    var preparation: Preparation? { prepare() }

    /// Adds a record to the lines of others, and says what could not be used of it.
    typealias Preparation =
        @Sendable (_ record: consuming ConvertedRecord, _ lines: inout PreparedRecords) -> [PreparedRecords.Fault]

    private let lenient: Bool
    private let prepare: () -> Preparation?
    private let writePrepared: (PreparedRecords, _ done: Int, ConversionReport) throws -> Void
    /// Records that a killed run has done already.
    private(set) var start = 0
    private let imageRootSet: (String) -> Void
    private let write: (ConvertedRecord) throws -> Bool
    private let note: (ConversionNotice) throws -> Void

    /// - Parameter write: writes a record; false when it is none of the part that was asked for.
    init(
        lenient: Bool, imageRootSet: @escaping (String) -> Void, write: @escaping (ConvertedRecord) throws -> Bool,
        prepare: @escaping () -> Preparation?,
        writePrepared: @escaping (PreparedRecords, _ done: Int, ConversionReport) throws -> Void,
        note: @escaping (ConversionNotice) throws -> Void
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

    /// Hands on a record; an empty question or answer is a fault of its line, and so are markers of pictures that the
    /// source's own text holds.
    /// - Parameter line: the record's line, counted only when a message needs it.
    public func emit(_ record: ConvertedRecord, path: String, line: @autoclosure () -> Int) throws {
        var record = record
        do {
            for repair in try record.settleMarkers(lenient: lenient) {
                try repaired(path: path, line: line(), repair)
            }
        } catch let error as RecordFault {
            return try fault(path: path, line: line(), error.reason, fix: error.fix)
        }
        for exchange in record.exchanges where exchange.isEmpty {
            let part = exchange.answer.isBlank ? "answer" : "question"
            try fault(
                path: path, line: line(), "the \(part) is empty", fix: "fill it in, or pass --lenient to leave it out")
        }
        record.exchanges.removeAll(where: \.isEmpty)
        guard !record.exchanges.isEmpty else { return }
        do { guard try write(record) else { return } } catch let error as PictureFault {
            return try fault(path: path, line: line(), error.reason, fix: error.fix)
        } catch let error as RecordFault {
            return try fault(path: path, line: line(), error.reason, fix: error.fix)
        }
        report.records += 1
        report.exchanges += record.exchanges.count
        report.pictures += record.images.count
    }

    /// Goes on behind records that a killed run has done.
    func resume(_ done: Int, _ report: ConversionReport) { (start, self.report) = (done, report) }

    /// Hands on records that ``preparation`` made; their faults are told before.
    /// - Parameter done: how many records of the source are behind them, used or not.
    func emit(_ prepared: PreparedRecords, done: Int) throws {
        report.records += prepared.records
        report.exchanges += prepared.exchanges
        report.pictures += prepared.pictures
        try writePrepared(prepared, done, report)
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
