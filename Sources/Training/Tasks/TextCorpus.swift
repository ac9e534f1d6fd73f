import Basics

/// Lines of text files, mapped into memory and read in an order that depends on the seed and the epoch.
final class TextCorpus {
    /// Number of lines with text.
    let count: Int

    private let files: [TextFile]
    private let lines: [(file: Int, range: Range<Int>)]
    private let seed: UInt64
    private var order: (epoch: Int, lines: [Int])?

    init(_ paths: [String], seed: UInt64) throws {
        files = try paths.map { try TextFile($0) }
        lines = files.enumerated().flatMap { index, file in file.lines.map { (index, $0) } }
        count = lines.count
        self.seed = seed
        guard count > 0 else {
            throw UserError(
                "\(paths.joined(separator: ", ")): no line of text",
                fix: "a .txt file has one text a line, JSONL a \"text\"")
        }
    }

    /// The text at a place in the endless row of epochs.
    func text(at position: Int) throws -> String {
        let epoch = position / count
        if order?.epoch != epoch {
            var shuffled = Array(0..<count)
            var generator = RandomGenerator(seed: seed, stream: UInt64(epoch))
            generator.shuffle(&shuffled)
            order = (epoch, shuffled)
        }
        let (file, range) = lines[order!.lines[position % count]]
        return try files[file].text(range)
    }
}

/// One mapped file of lines.
private final class TextFile {
    let lines: [Range<Int>]
    private let path: String
    private let file: MappedFile
    private let isJSON: Bool

    init(_ path: String) throws {
        self.path = path
        file = try MappedFile(path)
        isJSON = Paths.fileExtension(path) == "jsonl"
        try Files.requireText(file.bytes, of: path)
        lines = JSONScanner.lines(of: file.bytes).map(\.range)
    }

    func text(_ range: Range<Int>) throws -> String {
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[range])
        guard isJSON else { return String(decoding: bytes, as: UTF8.self) }
        guard let text = try JSON.parse(bytes, source: path)["text"]?.string else {
            throw UserError("\(path): a line without \"text\"", fix: "each line is an object such as {\"text\": \"…\"}")
        }
        return text
    }
}
