import Basics

/// ScienceQA: `problems.json`, an object of problems by number; pictures at `<split>/<number>/image.png`, many have none.
struct ScienceQAConverter: DatasetConverter {
    static let kind = "scienceqa"
    static let summary = "ScienceQA's problems.json with --split; --images names the folder above train, val and test"
    static let choices: Set<ConversionChoice> = [.split]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(membersOf: request.input, kind: "ScienceQA's problems, an object by number")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        try entries.forEach(sink) { entry in
            let split = try entry.text("split")
            if let wanted = request.split, wanted != split { return }
            let choices = try entry.texts("choices")
            let index = try entry.number("answer")
            guard choices.indices.contains(index), choices.count <= 26 else {
                throw EntryFault("choice \(index) of \(choices.count) is right", fix: "correct \"answer\"")
            }
            var images: [ImageReference] = []
            if let name = entry.value["image"]?.string, !name.isEmpty {
                images = [try entry.picture("\(split)/\(entry.key)/\(name)")]
            }
            let hint = (entry.value["hint"]?.string ?? "").trimmed
            let exchange = MultipleChoice.exchange(
                try entry.text("question"), choices, index, hint: hint, id: entry.key, request)
            var record = ConvertedRecord(id: "scienceqa-\(entry.key)", images: images, exchanges: [exchange])
            for key in ["subject", "topic", "grade", "lecture", "solution"] {
                if let text = entry.value[key]?.string, !text.isEmpty { record.metadata[key] = .string(text) }
            }
            try sink.emit(record, path: entries.path, line: entries.line(at: entry.position))
        }
    }
}
