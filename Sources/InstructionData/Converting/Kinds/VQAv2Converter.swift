import Basics

/// VQAv2: a questions file and an annotations file with ten answers a question.
///
/// The most frequent answer is the target (the first of equals), all ten are references. Questions about the same
/// picture that follow each other become one conversation.
struct VQAv2Converter: DatasetConverter {
    static let kind = "vqav2"
    static let summary = "VQAv2's questions file, with --annotations and --images"
    static let choices: Set<ConversionChoice> = [.annotations, .imagePattern]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        guard let annotationsPath = request.annotations else {
            throw UserError(
                "the answers are in a second file",
                fix:
                    "pass --annotations v2_mscoco_train2014_annotations.json, of OK-VQA mscoco_train2014_annotations.json"
            )
        }
        let questionsFile = try MappedFile.text(request.input)
        let annotationsFile = try MappedFile.text(annotationsPath)
        let questions = try JSONMembers(questionsFile.bytes, path: request.input)
        let annotations = try JSONMembers(annotationsFile.bytes, path: annotationsPath)
        var answers: [Int: Range<Int>] = [:]
        for range in try annotations.elements(of: "annotations", kind: "VQAv2 answers") {
            guard let id = try annotations.element(at: range)["question_id"]?.int else {
                try sink.fault(
                    path: annotationsPath, line: annotations.line(of: range), "an annotation has no \"question_id\"",
                    fix: "is this VQAv2's annotations file?")
                continue
            }
            guard answers[id] == nil else {
                try sink.fault(
                    path: annotationsPath, line: annotations.line(of: range), "question \(id) has two annotations",
                    fix: "remove one, or pass --lenient to keep the first")
                continue
            }
            answers[id] = range
        }
        let subtype = try questions.value("data_subtype")?.string ?? "train2014"
        let pattern = try ImagePattern(request.imagePattern ?? "COCO_\(subtype)_{id:012}.jpg")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        var pending: (record: ConvertedRecord, picture: Int, range: Range<Int>)?
        func flush() throws {
            guard let ready = pending else { return }
            pending = nil
            try sink.emit(ready.record, path: request.input, line: questions.line(of: ready.range))
        }
        var asked: Set<Int> = []
        for range in try questions.elements(of: "questions", kind: "VQAv2 questions") {
            let entry = try questions.element(at: range)
            func fault(_ reason: String, _ fix: String) throws {
                try sink.fault(path: request.input, line: questions.line(of: range), reason, fix: fix)
            }
            guard let id = entry["question_id"]?.int, let picture = entry["image_id"]?.int,
                let text = entry["question"]?.string
            else {
                try fault(
                    "a question lacks \"question_id\", \"image_id\" or \"question\"", "is this VQAv2's questions file?")
                continue
            }
            guard let place = answers[id] else {
                try fault(
                    "question \(id) has no annotation in \(annotationsPath)", "give the annotations of the same split")
                continue
            }
            guard asked.insert(id).inserted else {
                try fault("two questions have the number \(id)", "remove one, or pass --lenient to keep the first")
                continue
            }
            let given = try annotations.element(at: place)["answers"]?.array ?? []
            let references = given.compactMap { ($0["answer"] ?? $0).string }
            guard let target = Answers.mostFrequent(references) else {
                try fault("question \(id) has no answers", "is this VQAv2's annotations file?")
                continue
            }
            let exchange = Exchange(
                question: request.asked(text), answer: target, references: references, id: String(id),
                task: Answers.task(of: target))
            if !request.oneQuestion, pending?.picture == picture {
                pending?.record.exchanges.append(exchange)
            } else {
                try flush()
                let record = ConvertedRecord(
                    id: String(id), images: [.file(pattern.name(picture))], exchanges: [exchange])
                pending = (record, picture, range)
            }
        }
        try flush()
    }
}
