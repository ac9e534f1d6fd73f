import Basics

/// easy-VQA (vzhou842/easy-VQA): `questions.json` is `[[question, answer, picture number], …]`, beside `images/<n>.png`.
///
/// Reads its folder (`easy_vqa/data`, a folder above, or `train` itself) or a tar archive of it.
struct EasyVQAConverter: DatasetConverter {
    static let kind = "easy-vqa"
    static let summary = "easy-VQA's folder or tar archive; --split train or test"
    static let choices: Set<ConversionChoice> = [.split]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let tree = try FileTree(request.input)
        let split = request.split ?? "train"
        let folder = try folder(of: split, in: tree)
        let name = folder + "questions.json"
        let path = tree.shown(name)
        sink.setImageRoot(tree.root)
        var places: [Int: Int] = [:]
        var records: [(number: Int, line: Int, exchanges: [Exchange])] = []
        try tree.withBytes(of: name) { bytes in
            var lines = LineCounter(bytes)
            for (index, range) in try JSONScanner.elements(of: bytes, source: path).enumerated() {
                let line = lines.line(of: range.lowerBound)
                let value = try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[range]), source: path)
                guard let entry = value.array, entry.count == 3, let question = entry[0].string,
                    let answer = entry[1].string, let number = entry[2].int, number >= 0
                else {
                    try sink.fault(
                        path: path, line: line, "entry \(index) is not [question, answer, picture number]",
                        fix: "is this easy-VQA's questions.json?")
                    continue
                }
                let exchange = Exchange(
                    question: request.asked(question), answer: answer, id: "\(split)-\(index)",
                    task: Answers.task(of: answer))
                if !request.oneQuestion, let place = places[number] {
                    records[place].exchanges.append(exchange)
                } else {
                    places[number] = records.count
                    records.append((number, line, [exchange]))
                }
            }
        }
        for record in records {
            let image = "\(folder)images/\(record.number).png"
            guard tree.contains(image) else {
                try sink.fault(
                    path: path, line: record.line, "picture \(tree.shown(image)) is not there",
                    fix: "copy the images folder too, or pass --lenient to leave its questions out")
                continue
            }
            let id = request.oneQuestion ? record.exchanges[0].id : nil
            let converted = ConvertedRecord(
                id: id ?? "\(split)-picture-\(record.number)", images: [tree.reference(to: image)],
                exchanges: record.exchanges)
            try sink.emit(converted, path: path, line: record.line)
        }
    }

    private func folder(of split: String, in tree: FileTree) throws(UserError) -> String {
        // The input may be the split's folder itself, but only when it is named like it.
        if Paths.name(tree.root) == split, tree.contains("questions.json") { return "" }
        let places = ["\(split)/", "data/\(split)/", "easy_vqa/data/\(split)/"]
        for place in places where tree.contains(place + "questions.json") { return place }
        throw UserError(
            "\(tree.root) has no questions.json of the split \"\(split)\"",
            fix: "easy-VQA has the splits train and test, each with questions.json and images/; looked for "
                + places.map { $0 + "questions.json" }.joined(separator: ", "))
    }
}
