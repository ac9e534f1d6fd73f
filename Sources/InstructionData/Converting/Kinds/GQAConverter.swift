import Basics

/// GQA: one object of questions by number, `{"question", "imageId", "answer", "fullAnswer", …}`.
struct GQAConverter: DatasetConverter {
    static let kind = "gqa"
    static let summary = "GQA's questions JSON; --images names the picture folder"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(membersOf: request.input, kind: "GQA's questions, an object by number")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        let groups = PictureGroups(request, sink, entries)
        try entries.forEach(sink) { entry in
            let image = try entry.picture(try entry.name("imageId") + ".jpg")
            let answer = try entry.text("answer")
            var fields = JSONObject()
            if let full = entry.value["fullAnswer"]?.string { fields["full_answer"] = .string(full) }
            let exchange = Exchange(
                question: request.asked(try entry.text("question")), answer: answer, id: entry.key,
                task: Answers.task(of: answer), fields: fields)
            try groups.add(exchange, images: [image], id: entry.key, at: entry.position)
        }
        try groups.finish()
    }
}
