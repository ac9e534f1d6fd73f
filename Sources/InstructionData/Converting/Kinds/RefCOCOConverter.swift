import Basics

/// RefCOCO, RefCOCO+ and RefCOCOg: the references as they are published, with `--annotations instances.json` for boxes
/// and pictures.
///
/// The references are a pickle, `refs(unc).p` for instance; the same list as JSON will do too. What is not plain data in
/// a pickle is refused (``PickledList``).
struct RefCOCOConverter: DatasetConverter {
    static let kind = "refcoco"
    static let summary =
        "RefCOCO's refs(unc).p or the same as JSON, with --annotations instances.json, --split and --images"
    static let choices: Set<ConversionChoice> = [.annotations, .split]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        guard let instances = request.annotations else {
            throw UserError("RefCOCO's boxes are in a second file", fix: "pass --annotations instances.json")
        }
        var pictures: [Int: (name: String, width: Double, height: Double)] = [:]
        try JSONEntries(instances, list: "images", kind: "RefCOCO's instances").forEach(sink) { entry in
            pictures[try entry.number("id")] = (
                try entry.text("file_name"), Double(try entry.number("width")), Double(try entry.number("height"))
            )
        }
        var boxes: [Int: [Double]] = [:]
        try JSONEntries(instances, list: "annotations", kind: "RefCOCO's instances").forEach(sink) { entry in
            boxes[try entry.number("id")] = try entry.list("bbox").compactMap(\.double)
        }
        let entries = try JSONEntries(request.input, kind: "RefCOCO's references, a list", allowsPickle: true)
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        try entries.forEach(sink) { entry in
            if let split = request.split, entry.value["split"]?.string != split { return }
            guard let picture = pictures[try entry.number("image_id")], let box = boxes[try entry.number("ann_id")]
            else {
                throw EntryFault(
                    "its picture or box is not in \(instances)", fix: "give the instances.json of the same collection")
            }
            let image = try entry.picture(picture.name)
            let text = try BoxText.normalised(box, width: picture.width, height: picture.height)
            let id = try entry.name("ref_id")
            let exchanges = try entry.texts("sentences").enumerated().map { index, phrase in
                Exchange(
                    question: request.asked("Where is \(phrase)? Answer with a box [x1, y1, x2, y2] from 0 to 1."),
                    answer: text, id: "\(id)-\(index)", task: "region-grounding",
                    fields: ["phrase": .string(phrase), "box": .string(text)])
            }
            let record = ConvertedRecord(id: "ref-\(id)", images: [image], exchanges: exchanges)
            for part in request.oneQuestion ? record.split : [record] {
                try sink.emit(part, path: entries.path, line: entries.line(at: entry.position))
            }
        }
    }
}
