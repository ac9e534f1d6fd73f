import Basics

/// NLVR2: a sentence about two photographs; JSON lines with `identifier`, pictures `<set>-img0.png` and `-img1.png`.
struct NLVR2Converter: DatasetConverter {
    static let kind = "nlvr2"
    static let summary = "NLVR2's JSON lines; --images names the folder of the split's pictures"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, kind: "NLVR2's examples, one a line")
        sink.setImageRoot(request.images ?? Paths.parent(request.input))
        try entries.forEach(sink) { entry in
            let identifier = try entry.text("identifier")
            let parts = identifier.split(separator: "-")
            guard parts.count >= 3 else {
                throw EntryFault(
                    "the identifier \"\(identifier)\" is not split-set-pair-sentence", fix: "is this NLVR2?")
            }
            // The last part numbers the sentences about the same pair.
            let pair = parts.dropLast().joined(separator: "-")
            let folder = entry.value["directory"].map { ($0.string ?? $0.int.map { String($0) } ?? "") + "/" } ?? ""
            let images = try [0, 1].map { try entry.picture("\(folder)\(pair)-img\($0).png") }
            let exchange = Truth.exchange(
                try entry.text("sentence"), try Truth.answer(entry), task: "comparison", request)
            try sink.emit(
                ConvertedRecord(id: identifier, images: images, exchanges: [exchange]), path: entries.path,
                line: entries.line(at: entry.position))
        }
    }
}
