import Basics

/// CSV, TSV, JSON lines or a JSON list with named columns.
///
/// Rows about the same picture that follow each other become one conversation.
struct TableConverter: DatasetConverter {
    static let kind = "table"
    static let aliases = ["csv", "tsv", "jsonl"]
    static let summary =
        "CSV, TSV or JSONL with --image-column, --question-column (or --question) and --answer-column"
    static let choices: Set<ConversionChoice> = [.columns]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let file = try MappedFile.text(request.input)
        let table = try TableSource(request.input, file.bytes)
        let chosen = request.columns
        guard let answerName = chosen.answer else {
            throw UserError(
                "no answer column is named",
                fix: "pass --answer-column with one of: \(table.columns.joined(separator: ", "))")
        }
        let answer = try table.column(answerName, option: "--answer-column")
        let image = try chosen.image.map { try table.column($0, option: "--image-column") }
        let question = try chosen.question.map { try table.column($0, option: "--question-column") }
        let id = try chosen.id.map { try table.column($0, option: "--id-column") }
        guard question != nil || request.question != nil else {
            throw UserError(
                "no question column is named",
                fix:
                    "pass --question-column with one of: \(table.columns.joined(separator: ", ")); or one --question for all"
            )
        }
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        var pending: (record: ConvertedRecord, line: Int)?
        func flush() throws {
            guard let ready = pending else { return }
            pending = nil
            try sink.emit(ready.record, path: table.path, line: ready.line)
        }
        func fault(_ line: Int, _ reason: String, _ fix: String?) throws {
            try sink.fault(path: table.path, line: line, reason, fix: fix)
        }
        try table.forEachRow(file.bytes, fault: fault) { row in
            let answers = row.cells[answer].filter { !$0.trimmed.isEmpty }
            guard let target = Answers.mostFrequent(answers) else {
                return try fault(row.line, "the answer is empty", "fill it in, or pass --lenient to leave the row out")
            }
            let asked = question.map { row.cells[$0].first ?? "" } ?? request.question ?? ""
            let images = image.map { row.cells[$0].filter { !$0.isEmpty }.map { ImageReference($0) } } ?? []
            for image in images {
                if let reason = RecordReader.pathFault(image.path) {
                    return try fault(row.line, reason.reason, reason.fix)
                }
            }
            let exchange = Exchange(
                question: request.asked(asked), answer: target, references: answers,
                id: id.flatMap { row.cells[$0].first } ?? String(row.line))
            if let last = pending, !request.oneQuestion, !images.isEmpty, last.record.images == images {
                pending?.record.exchanges.append(exchange)
            } else {
                try flush()
                pending = (
                    ConvertedRecord(id: exchange.id ?? "", images: images, exchanges: [exchange]), row.line
                )
            }
        }
        try flush()
    }
}
