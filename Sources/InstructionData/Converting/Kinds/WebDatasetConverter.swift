import Basics
import Tokenization

/// WebDataset: tar shards (also gzip) whose members of one stem are a sample: a picture, and `.json` or `.txt`.
///
/// A `.json` holds a LLaVA or messages record, or `question` and `answer`, or `caption`; a `.txt` is a caption. A sample whose
/// picture is in another format than PNG or JPEG, or a link, is a fault. The input is a shard, a folder of shards, or a pattern such as `shards/train-{000000..000009}.tar`.
struct WebDatasetConverter: DatasetConverter {
    static let kind = "webdataset"
    static let aliases = ["wds"]
    static let summary = "tar shards with a picture and .json or .txt a sample: a shard, a folder or a pattern"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let shards = try Self.shards(request.input)
        guard let first = shards.first else {
            throw UserError(
                "\(request.input) names no shard", fix: "name a .tar or .tar.gz, a folder of them, or a pattern")
        }
        let folder = Paths.parent(first)
        sink.setImageRoot(folder)
        for shard in shards { try convert(shard, request, sink) }
    }

    private static func shards(_ input: String) throws -> [String] {
        if Files.isDirectory(input) {
            return try Files.list(input).filter { ImageReference.isArchive($0) }.map { Paths.join(input, $0) }
        }
        if let range = try numbers(input) { return range }
        if Files.exists(input) { return [input] }
        return try Files.expandGlob(input)
    }

    /// `a-{000..012}.tar` as its names.
    private static func numbers(_ pattern: String) throws -> [String]? {
        guard let open = pattern.firstRange(ofUTF8: "{") else { return nil }
        // Two dots may stand in the folders before it.
        let rest = String(pattern[open.upperBound...])
        guard let dots = rest.firstRange(ofUTF8: ".."), let close = rest.firstRange(ofUTF8: "}"),
            dots.upperBound <= close.lowerBound
        else { return nil }
        let low = String(rest[..<dots.lowerBound])
        let high = String(rest[dots.upperBound..<close.lowerBound])
        guard let first = Int(low), let last = Int(high), first <= last, last - first < 1_000_000 else { return nil }
        return (first...last).map { number in
            let digits = String(number)
            let zeros = String(repeating: "0", count: max(0, low.utf8.count - digits.utf8.count))
            return pattern[..<open.lowerBound] + zeros + digits + rest[close.upperBound...]
        }
    }

    private func convert(_ shard: String, _ request: ConversionRequest, _ sink: ConversionSink) throws {
        let reader = try TarReader(shard)
        var unreadable: [String: String] = [:]
        for name in reader.unreadable where PictureName.isDecoded(name) || PictureName.fault(of: name) != nil {
            unreadable[Self.stem(name)] = name
        }
        func tell(_ fault: EntryFault, of name: String) throws {
            try sink.fault(path: "\(shard)#\(name)", line: 1, fault.reason, fix: fault.fix)
        }
        var position = 0
        while position < reader.entries.count {
            // Members of one sample follow each other; the stem ends at the first dot of the name.
            let stem = Self.stem(reader.entries[position].name)
            var members: [TarEntry] = []
            while position < reader.entries.count, Self.stem(reader.entries[position].name) == stem {
                members.append(reader.entries[position])
                position += 1
            }
            if let name = unreadable.removeValue(forKey: stem) {
                try tell(PictureName.memberFault, of: name)
            } else if let (name, fault) = Self.unusable(members) {
                try tell(fault, of: name)
            } else {
                try emit(stem, members, reader, request, sink)
            }
        }
        // Samples of nothing else.
        for name in unreadable.values.sorted() { try tell(PictureName.memberFault, of: name) }
    }

    /// The first picture of a sample in a format that is not decoded.
    private static func unusable(_ members: [TarEntry]) -> (name: String, fault: EntryFault)? {
        for member in members {
            if let fault = PictureName.fault(of: member.name) { return (member.name, fault) }
        }
        return nil
    }

    private static func stem(_ name: String) -> String {
        let last = Paths.name(name)
        let short = last.split(separator: ".", omittingEmptySubsequences: false).first.map { String($0) } ?? last
        return name.hasSuffix(last) ? String(name.dropLast(last.count)) + short : short
    }

    private func emit(
        _ stem: String, _ members: [TarEntry], _ reader: TarReader, _ request: ConversionRequest, _ sink: ConversionSink
    ) throws {
        func fault(_ reason: String, _ fix: String?) throws {
            try sink.fault(path: "\(reader.path)#\(stem)", line: 1, reason, fix: fix)
        }
        let archive = Paths.name(reader.path)
        let images = members.filter { PictureName.isDecoded($0.name) }.map {
            ImageReference.member(archive: archive, name: $0.name)
        }
        if let member = members.first(where: { $0.name.hasSuffix(".json") }) {
            let value: JSON
            do {
                value = try reader.withBytes(of: member) { try JSON.parse($0, source: "\(reader.path)#\(member.name)") }
            } catch let error as JSONError {
                return try sink.fault(
                    path: "\(reader.path)#\(member.name)", line: error.line, error.reason, fix: "correct this member")
            }
            return try emit(value, stem, images, reader, request, sink, fault)
        }
        guard let member = members.first(where: { $0.name.hasSuffix(".txt") }) else {
            return try fault(
                "the sample has neither .json nor .txt", "add one, or pass --lenient to leave the sample out")
        }
        guard let caption = reader.withBytes(of: member, { String(validating: $0, as: UTF8.self) }) else {
            return try fault("its text is not UTF-8", "convert it with iconv")
        }
        try emit(caption: caption, stem, images, reader, request, sink)
    }

    private func emit(
        _ value: JSON, _ stem: String, _ images: [ImageReference], _ reader: TarReader, _ request: ConversionRequest,
        _ sink: ConversionSink, _ fault: (String, String?) throws -> Void
    ) throws {
        if value["conversations"] != nil || value["messages"] != nil {
            // The sample's own picture stands in for the path that the record had.
            guard var object = value.object else { return }
            for key in ["image", "images"] { object[key] = nil }
            if !images.isEmpty { object["image"] = .array(images.indices.map { .string("\($0)") }) }
            var repairs: [Repair] = []
            var record: InstructionRecord
            do throws(RecordFault) {
                record = try RecordReader(lenient: request.lenient)
                    .record(from: .object(object), defaultID: stem, repairs: &repairs)
            } catch {
                return try fault(error.reason, error.fix)
            }
            record.images = images
            for repair in repairs { try sink.repaired(path: "\(reader.path)#\(stem)", line: 1, repair) }
            var converted = ConvertedRecord(record)
            for index in converted.exchanges.indices {
                converted.exchanges[index].question = request.asked(converted.exchanges[index].question)
            }
            return try sink.emit(converted, path: "\(reader.path)#\(stem)", line: 1)
        }
        if let question = value["question"]?.string {
            let answers =
                value["answers"]?.array?.compactMap { $0.string ?? $0["answer"]?.string }
                ?? value["answer"]?.string.map { [$0] } ?? []
            guard let answer = Answers.mostFrequent(answers) else {
                return try fault("the sample has a question and no answer", "add \"answer\" or \"answers\"")
            }
            let exchange = Exchange(
                question: request.asked(question), answer: answer, references: answers, id: stem,
                task: Answers.task(of: answer))
            return try sink.emit(
                ConvertedRecord(id: stem, images: images, exchanges: [exchange]), path: "\(reader.path)#\(stem)",
                line: 1)
        }
        guard let caption = (value["caption"] ?? value["text"])?.string else {
            return try fault(
                "its JSON has no conversations, messages, question or caption", "see vitrail convert --help")
        }
        try emit(caption: caption, stem, images, reader, request, sink)
    }

    private func emit(
        caption: String, _ stem: String, _ images: [ImageReference], _ reader: TarReader, _ request: ConversionRequest,
        _ sink: ConversionSink
    ) throws {
        let exchange = Exchange(
            question: request.asked(request.question ?? COCOCaptionsConverter.question), answer: caption.trimmed,
            id: stem,
            task: "captioning-brief")
        try sink.emit(
            ConvertedRecord(id: stem, images: images, exchanges: [exchange]), path: "\(reader.path)#\(stem)", line: 1)
    }
}
