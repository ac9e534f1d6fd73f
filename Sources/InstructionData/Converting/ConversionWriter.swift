import Basics

/// The output files of a conversion while it runs.
final class ConversionWriter {
    private let main: String?
    private let copiesImages: Bool
    private let keepsTasks: Bool
    private let checkPicture: (@Sendable (UnsafeRawBufferPointer, String) throws -> Void)?
    private let paths: (output: String?, evaluation: String?)
    private let output: LineFile?
    private let evaluation: LineFile?
    private var notices: LineFile?
    private let journal: RunJournal?
    /// What is done and counted, from which the same run can go on; at first that of an earlier run.
    private(set) var standing: (done: Int, report: ConversionReport)
    private var placement: PicturePlacement
    private var isCommitted = false
    private let store = ImageStore()

    init(_ conversion: Conversion) throws {
        copiesImages = conversion.copiesImages
        keepsTasks = conversion.keepsTasks
        checkPicture = conversion.checkPicture
        let writes = conversion.checkPicture == nil
        main = writes ? conversion.output ?? conversion.evaluation : nil
        guard main != nil || !writes else {
            throw UserError("nothing to write", fix: "name an --output or an --evaluation, or pass --check")
        }
        let journal =
            conversion.copiesImages
            ? nil : try main.flatMap { main in try conversion.resumeKey.map { try RunJournal(beside: main, key: $0) } }
        self.journal = journal
        standing = journal.map { ($0.done, ConversionReport($0.counts)) } ?? (0, ConversionReport())
        func open(_ path: String?) throws -> LineFile? {
            guard writes, let path else { return nil }
            return try journal?.open(path) ?? LineFile(path)
        }
        paths = (conversion.output, conversion.evaluation)
        output = try open(conversion.output)
        evaluation = try open(conversion.evaluation)
        placement = PicturePlacement(
            output: main ?? "check.jsonl", others: [conversion.evaluation].compactMap { $0 },
            copies: conversion.copiesImages)
        if let journal, let path = noticesPath, journal.has(path) { notices = try journal.open(path) }
    }

    private var noticesPath: String? { main.map { Paths.join(Paths.parent($0), Paths.stem($0) + ".repairs.jsonl") } }

    func setImageRoot(_ path: String) { placement.setRoot(path) }

    func write(_ record: ConvertedRecord) throws {
        if let checkPicture {
            for image in record.images {
                let source = placement.source(of: image)
                try pictureFaults { try store.withBytes(of: source) { try checkPicture($0, source.description) } }
            }
            return
        }
        var record = record
        for index in record.images.indices {
            let image = record.images[index]
            record.images[index] =
                copiesImages ? try pictureFaults { try placement.placed(image) } : try placement.placed(image)
        }
        if keepsTasks { record.metadata["tasks"] = record.tasks }
        if let output {
            var text = JSONText()
            record.write(to: &text)
            text.endLine()
            try output.append(text)
        }
        if let evaluation {
            var text = JSONText()
            record.writeQuestions(to: &text)
            try evaluation.append(text)
        }
    }

    /// What ``write(_:)`` does as far as it can be done on any thread; nil when pictures are copied or looked at on the way.
    func preparation(_ templates: TemplateDraw?) -> ConversionSink.Preparation? {
        guard checkPicture == nil, !copiesImages else { return nil }
        let (placement, keepsTasks, writes) = (placement, keepsTasks, (output != nil, evaluation != nil))
        return { record, lines in
            lines.add(
                record, templates: templates, keepsTasks: keepsTasks, writes: writes, placed: { placement.named($0) })
        }
    }

    /// Adds the lines of prepared records, and notes now and then how far the run is.
    func write(_ prepared: PreparedRecords, done: Int, _ report: ConversionReport) throws {
        try output?.append(prepared.data)
        try evaluation?.append(prepared.evaluation)
        standing = (done, report)
        try journal?.note(done: done, files, counts: report.json)
    }

    private var files: [(path: String, file: LineFile?)] {
        [(paths.output, output), (paths.evaluation, evaluation), (noticesPath, notices)].compactMap { path, file in
            path.map { ($0, file) }
        }
    }

    /// Leaves what is done for the same run to go on from; false where none can.
    func keep() throws -> Bool {
        guard let journal, standing.done > 0 else { return false }
        try journal.keep(done: standing.done, files, counts: standing.report.json)
        return true
    }

    private func pictureFaults<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch {
            // A full disk is no fault of the picture.
            if let error = error as? FileError, ["write", "create the folder"].contains(error.operation) {
                throw error
            }
            let (reason, fix) = SampleSource.words(of: error)
            throw PictureFault(reason: reason, fix: fix)
        }
    }

    func note(_ notice: ConversionNotice) throws {
        guard let path = noticesPath else { return }
        let file = try notices ?? journal?.open(path) ?? LineFile(path)
        notices = file
        try file.appendLine(notice.json.serialized())
    }

    /// Gives all files their names, the data file last; when the disk has room for all of them.
    func commit() throws {
        guard main != nil else { return }
        for file in [notices, evaluation, output] { _ = try file?.settle() }
        try placement.finish()
        try notices?.commit()
        try evaluation?.commit()
        try output?.commit()
        isCommitted = true
        try journal?.finish()
    }

    deinit { if !isCommitted { placement.removeCopies() } }
}
