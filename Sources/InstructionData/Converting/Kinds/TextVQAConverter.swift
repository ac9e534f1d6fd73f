import Basics

/// TextVQA: `{"data": [{"question", "image_id", "question_id", "answers": ten}]}`.
struct TextVQAConverter: DatasetConverter {
    static let kind = "textvqa"
    static let summary = "TextVQA's JSON; --images names train_images or test_images"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, list: "data", kind: "TextVQA's questions")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        let groups = PictureGroups(request, sink, entries)
        try entries.forEach(sink) { entry in
            let image = try entry.picture(try entry.text("image_id") + ".jpg")
            let (answers, id) = (try entry.texts("answers"), try entry.name("question_id"))
            let exchange = Exchange(
                question: request.asked(try entry.text("question")), answer: Answers.mostFrequent(answers) ?? "",
                references: answers, id: id, task: "vqa-short")
            try groups.add(exchange, images: [image], id: id, at: entry.position)
        }
        try groups.finish()
    }
}
