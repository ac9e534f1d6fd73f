import Basics

/// COCO captions: `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}`.
///
/// Every caption is a record of its own; in the evaluation file a picture stands once, with all captions as references.
struct COCOCaptionsConverter: DatasetConverter {
    static let kind = "coco-captions"
    static let summary = "COCO's captions_*.json; --images names the picture folder"

    /// The instruction unless the request has one (LLaVA-1.5's for captioning).
    static let question = "Provide a one-sentence caption for the provided image."

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let file = try MappedFile.text(request.input)
        let path = request.input
        let members = try JSONMembers(file.bytes, path: path)
        sink.setImageRoot(request.images ?? Paths.parent(path))
        var pictures: [(name: String, range: Range<Int>, captions: [Range<Int>])] = []
        var places: [Int: Int] = [:]
        for range in try members.elements(of: "images", kind: "COCO captions") {
            let entry = try members.element(at: range)
            guard let id = entry["id"]?.int, let name = entry["file_name"]?.string, RecordReader.pathFault(name) == nil
            else {
                try sink.fault(
                    path: path, line: members.line(of: range), "an image has no whole \"id\" or usable \"file_name\"",
                    fix: "is this COCO's captions file?")
                continue
            }
            guard places[id] == nil else {
                try sink.fault(
                    path: path, line: members.line(of: range), "two images have the number \(id)",
                    fix: "remove one, or pass --lenient to keep the first")
                continue
            }
            places[id] = pictures.count
            pictures.append((name, range, []))
        }
        for range in try members.elements(of: "annotations", kind: "COCO captions") {
            let entry = try members.element(at: range)
            guard let image = entry["image_id"]?.int, entry["caption"]?.string != nil else {
                try sink.fault(
                    path: path, line: members.line(of: range), "an annotation has no \"image_id\" or \"caption\"",
                    fix: "is this COCO's captions file? instances_*.json has boxes instead")
                continue
            }
            guard let place = places[image] else {
                try sink.fault(
                    path: path, line: members.line(of: range), "there is no image of the number \(image)",
                    fix: "the file is not complete: download it again, or pass --lenient")
                continue
            }
            pictures[place].captions.append(range)
        }
        let question = request.asked(request.question ?? Self.question)
        for picture in pictures {
            let captions = try picture.captions.map { (try members.element(at: $0)["caption"]?.string ?? "").trimmed }
            for (index, caption) in captions.enumerated() {
                var record = ConvertedRecord(
                    id: "\(Paths.stem(picture.name))-\(index)", images: [.file(picture.name)],
                    exchanges: [
                        Exchange(
                            question: question, answer: caption, references: captions.filter { !$0.isEmpty },
                            id: Paths.stem(picture.name), task: "captioning-brief")
                    ])
                record.isEvaluated = index == 0
                try sink.emit(record, path: path, line: members.line(of: picture.captions[index]))
            }
        }
    }
}
