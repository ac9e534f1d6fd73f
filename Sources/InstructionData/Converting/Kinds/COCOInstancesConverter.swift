import Basics

/// COCO instances: boxes and categories become detection, counting, presence and region questions.
///
/// Each picture is one record: for each category in it where the things are and how many; two categories that are and two
/// that are not there; and what its largest box holds. Crowds are not counted. What is absent is drawn from the picture's
/// number, so that the same file gives the same questions. The boxes stay in `objects` as LLaVA's prompts show them.
struct COCOInstancesConverter: DatasetConverter {
    static let kind = "coco-instances"
    static let summary = "COCO's instances_*.json: detection, counting, presence and region questions; --images"

    private struct Picture {
        var name: String
        var size: (width: Double, height: Double)
        var position: Int
        var boxes: [(category: Int, box: [Double])] = []
        var crowds: Set<Int> = []
    }

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let path = request.input
        sink.setImageRoot(request.images ?? Paths.parent(path))
        var categories: [(id: Int, name: String)] = []
        try JSONEntries(path, list: "categories", kind: "COCO instances").forEach(sink) { entry in
            categories.append((try entry.number("id"), try entry.text("name")))
        }
        let names = Dictionary(categories.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
        let images = try JSONEntries(path, list: "images", kind: "COCO instances")
        var pictures: [Picture] = []
        var places: [Int: Int] = [:]
        try images.forEach(sink) { entry in
            let name = try entry.text("file_name")
            _ = try entry.picture(name)
            let size = (Double(try entry.number("width")), Double(try entry.number("height")))
            places[try entry.number("id")] = pictures.count
            pictures.append(Picture(name: name, size: size, position: entry.position))
        }
        try JSONEntries(path, list: "annotations", kind: "COCO instances").forEach(sink) { entry in
            let category = try entry.number("category_id")
            guard names[category] != nil else {
                throw EntryFault("there is no category of the number \(category)", fix: "the file is not complete")
            }
            guard let place = places[try entry.number("image_id")] else {
                throw EntryFault("there is no image of this annotation's number", fix: "the file is not complete")
            }
            if entry.value["iscrowd"]?.int == 1 {
                pictures[place].crowds.insert(category)
                return
            }
            let box = try entry.list("bbox").compactMap(\.double)
            let size = pictures[place].size
            _ = try BoxText.normalised(box, width: size.width, height: size.height)
            pictures[place].boxes.append((category, box))
        }
        for picture in pictures where !picture.boxes.isEmpty {
            var record = ConvertedRecord(
                id: Paths.stem(picture.name), images: [.file(picture.name)],
                exchanges: try exchanges(about: picture, categories, names, request))
            record.metadata["objects"] = .array(
                try picture.boxes.map { entry in
                    .string("\(names[entry.category] ?? ""): " + (try text(entry.box, picture)))
                })
            try sink.emit(record, path: path, line: images.line(at: picture.position))
        }
    }

    private func text(_ box: [Double], _ picture: Picture) throws(EntryFault) -> String {
        try BoxText.normalised(box, width: picture.size.width, height: picture.size.height)
    }

    private func exchanges(
        about picture: Picture, _ categories: [(id: Int, name: String)], _ names: [Int: String],
        _ request: ConversionRequest
    ) throws -> [Exchange] {
        var exchanges: [Exchange] = []
        let present = categories.filter { category in picture.boxes.contains { $0.category == category.id } }
        for category in present where !picture.crowds.contains(category.id) {
            let boxes = try picture.boxes.filter { $0.category == category.id }.map { try text($0.box, picture) }
            exchanges.append(
                Exchange(
                    question: request.asked("Where is each \(category.name)? Give boxes [x1, y1, x2, y2] from 0 to 1."),
                    answer: boxes.joined(separator: ", "), task: "detection",
                    fields: ["object": .string(category.name)]))
            exchanges.append(
                Exchange(
                    question: request.asked("How many of these are in the picture: \(category.name)?"),
                    answer: String(boxes.count), task: "counting", fields: ["object": .string(category.name)]))
        }
        var generator = RandomGenerator(seed: 0, stream: picture.name)
        var absent = categories.filter { category in
            !present.contains { $0.id == category.id } && !picture.crowds.contains(category.id)
        }
        generator.shuffle(&absent)
        for (list, answer) in [(present.prefix(2), "yes"), (absent.prefix(2), "no")] {
            for category in list {
                exchanges.append(
                    Exchange(
                        question: request.asked("Is there a \(category.name) in the picture?"), answer: answer,
                        task: "presence", fields: ["object": .string(category.name)]))
            }
        }
        if let largest = picture.boxes.max(by: { $0.box[2] * $0.box[3] < $1.box[2] * $1.box[3] }) {
            let box = try text(largest.box, picture)
            exchanges.append(
                Exchange(
                    question: request.asked("What is in the box \(box)?"), answer: names[largest.category] ?? "",
                    task: "region-description", fields: ["box": .string(box)]))
        }
        return exchanges
    }
}
