import Basics

/// COCO instances: boxes and categories become detection, counting, presence and region questions.
///
/// Each picture is one record: for each category in it where the things are and how many; two categories that are and two
/// that are not there; and what its largest box holds. Crowds are not counted. Boxes are checked (``PictureBox``). What is absent is drawn from the picture's
/// number, so that the same file gives the same questions. The boxes stay in `objects` as LLaVA's prompts show them.
struct COCOInstancesConverter: DatasetConverter {
    static let kind = "coco-instances"
    static let summary = "COCO's instances_*.json: detection, counting, presence and region questions; --images"

    private struct Picture {
        var name: String
        var size: PictureSize
        var position: Int
        var boxes: [(category: Int, box: PictureBox)] = []
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
        var pictures = NumberedPictures<Picture>()
        try images.forEach(sink) { entry in
            let name = try entry.text("file_name")
            _ = try entry.picture(name)
            let picture = Picture(name: name, size: try PictureSize(entry), position: entry.position)
            try pictures.add(picture, number: try entry.number("id"))
        }
        try JSONEntries(path, list: "annotations", kind: "COCO instances").forEach(sink) { entry in
            let category = try entry.number("category_id")
            guard names[category] != nil else {
                throw EntryFault("there is no category of the number \(category)", fix: "the file is not complete")
            }
            let number = try entry.number("image_id")
            guard let size = pictures[number]?.size else {
                throw EntryFault("there is no image of the number \(number)", fix: "the file is not complete")
            }
            let sides = try entry.list("bbox")
            // COCO's own train2017 has a box without height, which is no fault of its user; it is nothing to point at either.
            let isLine = sides.count == 4 && sides[2...].contains { $0.double == 0 }
            if entry.value["iscrowd"]?.int == 1 || isLine {
                pictures[number]?.crowds.insert(category)
                return
            }
            let box = try PictureBox(sides, in: size, of: entry.annotation(of: number))
            pictures[number]?.boxes.append((category, box))
        }
        for picture in pictures.all where !picture.boxes.isEmpty {
            var record = ConvertedRecord(
                id: Paths.stem(picture.name), images: [.file(picture.name)],
                exchanges: exchanges(about: picture, categories, names, request))
            record.metadata["objects"] = .array(
                picture.boxes.map { .string("\(names[$0.category] ?? ""): " + $0.box.text) })
            try sink.emit(record, path: path, line: images.line(at: picture.position))
        }
    }

    private func exchanges(
        about picture: Picture, _ categories: [(id: Int, name: String)], _ names: [Int: String],
        _ request: ConversionRequest
    ) -> [Exchange] {
        var exchanges: [Exchange] = []
        let present = categories.filter { category in picture.boxes.contains { $0.category == category.id } }
        for category in present where !picture.crowds.contains(category.id) {
            let boxes = picture.boxes.filter { $0.category == category.id }.map(\.box.text)
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
        if let largest = picture.boxes.max(by: { $0.box.area < $1.box.area }) {
            let box = largest.box.text
            exchanges.append(
                Exchange(
                    question: request.asked("What is in the box \(box)?"), answer: names[largest.category] ?? "",
                    task: "region-description", fields: ["box": .string(box)]))
        }
        return exchanges
    }
}
