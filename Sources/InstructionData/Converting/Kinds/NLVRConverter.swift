import Basics

/// NLVR: a sentence that is true or false of a drawn picture; JSON lines with `identifier` and `directory`.
///
/// Each example has six pictures, permutations of its boxes: all are records, with the same sentence and answer.
struct NLVRConverter: DatasetConverter {
    static let kind = "nlvr"
    static let summary = "NLVR's train.json (JSON lines) with --split train, dev or test; pictures under images/"
    static let choices: Set<ConversionChoice> = [.split]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, kind: "NLVR's examples, one a line")
        let split = request.split ?? Paths.stem(request.input)
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        try entries.forEach(sink) { entry in
            let sentence = try entry.text("sentence")
            let identifier = try entry.text("identifier")
            let answer = try Truth.answer(entry)
            let folder = entry.value["directory"].map { ($0.string ?? $0.int.map { String($0) } ?? "") + "/" } ?? ""
            for permutation in 0..<6 {
                let image = try entry.picture("images/\(folder)\(split)-\(identifier)-\(permutation).png")
                var record = ConvertedRecord(
                    id: "\(split)-\(identifier)-\(permutation)", images: [image],
                    exchanges: [Truth.exchange(sentence, answer, task: "image-text-matching", request)])
                record.metadata["sentence_id"] = .string(String(identifier.split(separator: "-").first ?? ""))
                try sink.emit(record, path: entries.path, line: entries.line(at: entry.position))
            }
        }
    }
}

/// Sentences with a label of truth.
enum Truth {
    static func answer(_ entry: JSONEntry) throws(EntryFault) -> String {
        if let truth = entry.value["label"]?.bool { return truth ? "yes" : "no" }
        switch try entry.text("label").lowercased() {
        case "true", "yes": return "yes"
        case "false", "no": return "no"
        case let other: throw EntryFault("the label \"\(other)\" is neither true nor false", fix: "correct it")
        }
    }

    static func exchange(
        _ sentence: String, _ answer: String, task: String, _ request: ConversionRequest
    ) -> Exchange {
        Exchange(
            question: request.asked("Is this statement true? \(sentence) Answer yes or no."), answer: answer,
            task: task,
            fields: ["sentence": .string(sentence)])
    }
}
