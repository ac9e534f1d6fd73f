import Basics

/// ST-VQA: `{"data": [{"file_path", "question", "answers", "question_id", "dataset"}]}`.
struct STVQAConverter: DatasetConverter {
    static let kind = "stvqa"
    static let aliases = ["st-vqa"]
    static let summary = "ST-VQA's train_task_3.json or others; --images names the folder above coco-text, vizwiz …"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, list: "data", kind: "ST-VQA's questions")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        let groups = PictureGroups(request, sink, entries)
        try entries.forEach(sink) { entry in
            let image = try entry.picture(try entry.text("file_path"))
            let (answers, id) = (try entry.texts("answers"), try entry.name("question_id"))
            let exchange = Exchange(
                question: request.asked(try entry.text("question")), answer: answers[0], references: answers, id: id,
                task: "vqa-short")
            try groups.add(exchange, images: [image], id: id, at: entry.position)
        }
        try groups.finish()
    }
}
