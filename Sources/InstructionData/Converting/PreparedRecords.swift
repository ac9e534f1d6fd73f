import Basics

/// Records as the lines that are written of them, made on any thread.
struct PreparedRecords: Sendable {
    /// Lines of the data file.
    var data = JSONText()
    /// Lines of the evaluation file.
    var evaluation = JSONText()
    /// Records that were made into lines.
    var records = 0
    /// Exchanges in them.
    var exchanges = 0
    /// Pictures that they name.
    var pictures = 0

    /// What is wrong with a record: the reason, and what to do about it.
    typealias Fault = (reason: String, fix: String?)

    /// Adds a record; what could not be used of it is returned.
    mutating func add(
        _ record: consuming ConvertedRecord, templates: TemplateDraw?, keepsTasks: Bool,
        writes: (data: Bool, evaluation: Bool), placed: (ImageReference) -> ImageReference
    ) -> [Fault] {
        var faults: [Fault] = []
        if record.exchanges.contains(where: \.isEmpty) {
            for exchange in record.exchanges where exchange.isEmpty {
                faults.append(
                    (
                        "the \(exchange.answer.isBlank ? "answer" : "question") is empty",
                        "fill it in, or pass --lenient to leave it out"
                    ))
            }
            record.exchanges.removeAll(where: \.isEmpty)
            if record.exchanges.isEmpty { return faults }
        }
        let (count, pictures) = (record.exchanges.count, record.images.count)
        let lengths = (data.bytes.count, evaluation.bytes.count)
        do {
            guard let templates else {
                write(record, keepsTasks, writes, placed)
                return done(count, pictures, faults)
            }
            for recast in try templates.recast(record) { write(recast, keepsTasks, writes, placed) }
        } catch {
            data.truncate(to: lengths.0)
            evaluation.truncate(to: lengths.1)
            let fault = error as? RecordFault ?? RecordFault(SampleSource.words(of: error).problem)
            return faults + [(fault.reason, fault.fix)]
        }
        return done(count, pictures, faults)
    }

    private mutating func done(_ count: Int, _ images: Int, _ faults: [Fault]) -> [Fault] {
        records += 1
        exchanges += count
        pictures += images
        return faults
    }

    private mutating func write(
        _ record: ConvertedRecord, _ keepsTasks: Bool, _ writes: (data: Bool, evaluation: Bool),
        _ placed: (ImageReference) -> ImageReference
    ) {
        var record = record
        for index in record.images.indices { record.images[index] = placed(record.images[index]) }
        if writes.evaluation { record.writeQuestions(to: &evaluation) }
        if keepsTasks { record.metadata["tasks"] = record.tasks }
        guard writes.data else { return }
        record.write(to: &data)
        data.endLine()
    }
}

extension Exchange {
    /// Whether a side has no text.
    var isEmpty: Bool { answer.isBlank || question.isBlank }
}
