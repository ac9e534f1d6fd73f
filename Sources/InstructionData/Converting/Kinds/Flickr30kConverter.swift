import Basics

/// Flickr30k: `results_20130124.token` (`picture.jpg#0`, a tab, the caption) or Karpathy's `dataset_flickr30k.json`.
///
/// Every caption is a record; in the evaluation file a picture stands once, with all captions as references.
struct Flickr30kConverter: DatasetConverter {
    static let kind = "flickr30k"
    static let summary = "Flickr30k's .token file, or Karpathy's JSON with --split; --images names the picture folder"
    static let choices: Set<ConversionChoice> = [.split]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        if Paths.fileExtension(request.input) == "json" { return try convertJSON(request, sink) }
        let file = try MappedFile.text(request.input)
        var pending: (name: String, line: Int, captions: [String])?
        func flush() throws {
            guard let ready = pending else { return }
            pending = nil
            try emit(ready.name, ready.captions, request, sink, line: ready.line)
        }
        var position = file.bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var line = 0
        while position < file.bytes.count {
            let end = RecordIndex.newline(in: file.bytes, from: position) ?? file.bytes.count
            let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[position..<end])
            position = end + 1
            line += 1
            guard let text = String(validating: bytes, as: UTF8.self) else {
                try sink.fault(
                    path: request.input, line: line, "the line is not UTF-8", fix: "convert the file with iconv")
                continue
            }
            if text.trimmed.isEmpty { continue }
            let parts = text.split(separator: "\t", maxSplits: 1).map { String($0) }
            let name = parts[0].split(separator: "#", maxSplits: 1).first.map { String($0) } ?? ""
            guard parts.count == 2, parts[0].contains("#"), RecordReader.pathFault(name) == nil else {
                try sink.fault(
                    path: request.input, line: line, "not picture.jpg#number, a tab, and a caption",
                    fix: "is this Flickr30k's results_20130124.token?")
                continue
            }
            if pending?.name != name { try flush() }
            if pending == nil { pending = (name, line, []) }
            pending?.captions.append(parts[1].trimmed)
        }
        try flush()
    }

    private func convertJSON(_ request: ConversionRequest, _ sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, list: "images", kind: "Karpathy's Flickr30k")
        try entries.forEach(sink) { entry in
            if let split = request.split, entry.value["split"]?.string != split { return }
            let name = try entry.text("filename")
            _ = try entry.picture(name)
            try emit(
                name, try entry.texts("sentences").map(\.trimmed), request, sink, line: entries.line(at: entry.position)
            )
        }
    }

    private func emit(
        _ name: String, _ captions: [String], _ request: ConversionRequest, _ sink: ConversionSink, line: Int
    ) throws {
        let question = request.asked(request.question ?? COCOCaptionsConverter.question)
        for (index, caption) in captions.enumerated() {
            let exchange = Exchange(
                question: question, answer: caption, references: captions, id: Paths.stem(name),
                task: "captioning-brief")
            var record = ConvertedRecord(
                id: "\(Paths.stem(name))-\(index)", images: [.file(name)], exchanges: [exchange])
            record.isEvaluated = index == 0
            try sink.emit(record, path: request.input, line: line)
        }
    }
}
