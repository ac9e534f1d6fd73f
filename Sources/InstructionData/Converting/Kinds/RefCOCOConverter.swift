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
        var pictures = NumberedPictures<(name: String, size: PictureSize)>()
        try JSONEntries(instances, list: "images", kind: "RefCOCO's instances").forEach(sink) { entry in
            let picture = (try entry.text("file_name"), try PictureSize(entry))
            try pictures.add(picture, number: try entry.number("id"))
        }
        var boxes: [Int: [JSON]] = [:]
        try JSONEntries(instances, list: "annotations", kind: "RefCOCO's instances").forEach(sink) { entry in
            let number = try entry.number("id")
            guard boxes.updateValue(try entry.list("bbox"), forKey: number) == nil else {
                throw EntryFault(
                    "two annotations have the number \(number)", fix: "remove one, or pass --lenient to keep the last")
            }
        }
        let entries = try JSONEntries(request.input, kind: "RefCOCO's references, a list", allowsPickle: true)
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        try entries.forEach(sink) { entry in
            if let split = request.split, entry.value["split"]?.string != split { return }
            let (number, annotation) = (try entry.number("image_id"), try entry.number("ann_id"))
            guard let picture = pictures[number], let values = boxes[annotation] else {
                throw EntryFault(
                    "its picture or box is not in \(instances)", fix: "give the instances.json of the same collection")
            }
            let image = try entry.picture(picture.name)
            let box = try PictureBox(values, in: picture.size, of: "annotation \(annotation) of image \(number)")
            let text = box.text
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
