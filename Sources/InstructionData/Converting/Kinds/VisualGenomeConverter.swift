import Basics

/// Visual Genome: `region_descriptions.json` (with `--annotations image_data.json` for the sizes) or `question_answers.json`.
struct VisualGenomeConverter: DatasetConverter {
    static let kind = "visual-genome"
    static let aliases = ["vg"]
    static let summary =
        "Visual Genome's question_answers.json, or region_descriptions.json with --annotations image_data.json"
    static let choices: Set<ConversionChoice> = [.annotations]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, kind: "Visual Genome's regions or questions, a list by picture")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        let pictures = try request.annotations.map { try Self.pictures($0, sink) } ?? NumberedPictures()
        try entries.forEach(sink) { entry in
            let number = try entry.value["id"] == nil ? entry.number("image_id") : entry.number("id")
            let known = pictures[number]
            let image = try entry.picture(known?.name ?? "VG_100K/\(number).jpg")
            var exchanges: [Exchange] = []
            /// A question or region that can't be used is left out by itself.
            func add(_ values: [JSON], _ make: (JSONEntry) throws -> Exchange) throws {
                for value in values {
                    do {
                        exchanges.append(
                            try make(JSONEntry(value: value, key: "", position: entry.position, kind: entry.kind)))
                    } catch let fault as EntryFault {
                        try sink.fault(
                            path: entries.path, line: entries.line(at: entry.position),
                            "picture \(number): \(fault.reason)", fix: fault.fix)
                    }
                }
            }
            if let questions = entry.value["qas"]?.array {
                try add(questions) { inner in
                    Exchange(
                        question: request.asked(try inner.text("question")), answer: try inner.text("answer"),
                        id: inner.value["qa_id"]?.digits, task: "vqa-open")
                }
            } else {
                guard let known else {
                    throw EntryFault(
                        "the size of picture \(number) is not known",
                        fix: "pass --annotations image_data.json of the same version")
                }
                try add(try entry.list("regions")) { inner in
                    let id = inner.value["region_id"]?.digits
                    let sides = ["x", "y", "width", "height"].map { inner.value[$0] }
                    let text = try PictureBox(sides, in: known.size, of: "region \(id ?? "")").text
                    let phrase = try inner.text("phrase").trimmed
                    return Exchange(
                        question: request.asked("Describe the region \(text)."), answer: phrase, id: id,
                        task: "region-description", fields: ["box": .string(text), "phrase": .string(phrase)])
                }
            }
            let record = ConvertedRecord(id: "vg-\(number)", images: [image], exchanges: exchanges)
            for part in request.oneQuestion ? record.split : [record] {
                try sink.emit(part, path: entries.path, line: entries.line(at: entry.position))
            }
        }
    }

    private static func pictures(
        _ path: String, _ sink: ConversionSink
    ) throws -> NumberedPictures<(name: String, size: PictureSize)> {
        var pictures = NumberedPictures<(name: String, size: PictureSize)>()
        try JSONEntries(path, kind: "Visual Genome's image_data.json").forEach(sink) { entry in
            let number = try entry.value["image_id"] == nil ? entry.number("id") : entry.number("image_id")
            // The last two parts of the address are folder and file, as the archives unpack.
            let parts = try entry.text("url").split(separator: "/").suffix(2)
            try pictures.add((parts.joined(separator: "/"), try PictureSize(entry)), number: number)
        }
        return pictures
    }
}

extension ConvertedRecord {
    /// A record for each exchange.
    var split: [ConvertedRecord] {
        exchanges.enumerated().map { index, exchange in
            var part = self
            part.id = exchange.id ?? "\(id)-\(index)"
            part.exchanges = [exchange]
            return part
        }
    }
}
