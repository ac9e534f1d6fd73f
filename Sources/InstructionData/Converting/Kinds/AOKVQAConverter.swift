import Basics

/// A-OKVQA: `[{"image_id", "question_id", "question", "choices", "correct_choice_idx", "direct_answers", "rationales"}]`.
///
/// Each question is asked twice: for a short answer (the ten direct answers are the references), and among its choices.
struct AOKVQAConverter: DatasetConverter {
    static let kind = "aokvqa"
    static let aliases = ["a-okvqa"]
    static let summary = "A-OKVQA's JSON; --images names COCO's 2017 pictures of the split"
    static let choices: Set<ConversionChoice> = [.imagePattern]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, kind: "A-OKVQA's list of questions")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        let pattern = try ImagePattern(request.imagePattern ?? "{id:012}.jpg")
        try entries.forEach(sink) { entry in
            let (question, id) = (try entry.text("question"), try entry.name("question_id"))
            let image = try entry.picture(pattern.name(try entry.number("image_id")))
            let choices = try entry.texts("choices")
            let index = try entry.number("correct_choice_idx")
            guard choices.indices.contains(index) else {
                throw EntryFault("choice \(index) of \(choices.count) is right", fix: "correct \"correct_choice_idx\"")
            }
            let direct = try entry.texts("direct_answers")
            let short = Exchange(
                question: request.asked(question), answer: Answers.mostFrequent(direct) ?? choices[index],
                references: direct, id: id, task: "vqa-short")
            let chosen = MultipleChoice.exchange(question, choices, index, id: id + "-choice", request)
            var record = ConvertedRecord(id: id, images: [image], exchanges: [short, chosen])
            record.metadata["rationales"] = entry.value["rationales"]
            for part in request.oneQuestion ? record.split : [record] {
                try sink.emit(part, path: entries.path, line: entries.line(at: entry.position))
            }
        }
    }
}

/// Questions with given answers, as LLaVA-1.5 lays them out.
enum MultipleChoice {
    static func exchange(
        _ question: String, _ choices: [String], _ index: Int, hint: String = "", id: String?,
        _ request: ConversionRequest
    ) -> Exchange {
        let letters = (0..<26).map { String(Character(Unicode.Scalar(UInt8(65 + $0)))) }
        var lines = hint.isEmpty ? [] : [hint]
        lines.append(question)
        for (letter, choice) in zip(letters, choices) { lines.append("\(letter). \(choice)") }
        lines.append(request.questionSuffix ?? "Answer with the option's letter from the given choices directly.")
        var fields: JSONObject = [
            "question": .string(question), "choices": .array(choices.map { .string($0) }),
            "answer": .string(choices[index]),
        ]
        if !hint.isEmpty { fields["hint"] = .string(hint) }
        return Exchange(
            question: lines.joined(separator: "\n"), answer: letters[min(index, 25)], id: id, task: "multiple-choice",
            fields: fields)
    }
}
