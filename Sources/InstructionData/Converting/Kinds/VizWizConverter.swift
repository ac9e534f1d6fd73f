import Basics

/// VizWiz: `[{"image", "question", "answers": [{"answer", "answer_confidence"}], "answerable"}]`, photographs by blind people.
struct VizWizConverter: DatasetConverter {
    static let kind = "vizwiz"
    static let summary = "VizWiz's train.json or val.json; --images names the picture folder"

    /// Put behind each question, as LLaVA-1.5 asks VizWiz.
    static let suffix =
        "When the provided information is insufficient, respond with 'Unanswerable'.\n"
        + "Answer the question using a single word or phrase."

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        var request = request
        request.questionSuffix = request.questionSuffix ?? Self.suffix
        let entries = try JSONEntries(request.input, kind: "VizWiz's list of questions")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        let groups = PictureGroups(request, sink, entries)
        try entries.forEach(sink) { entry in
            let name = try entry.text("image")
            let image = try entry.picture(name)
            let answers = try entry.texts("answers")
            let question = try entry.text("question")
            let exchange = Exchange(
                question: request.asked(question), answer: Answers.mostFrequent(answers) ?? "", references: answers,
                id: Paths.stem(name), task: "vqa-short", fields: ["question": .string(question)])
            try groups.add(exchange, images: [image], id: Paths.stem(name), at: entry.position)
        }
        try groups.finish()
    }
}
