import ArgumentParser
import Basics
import Tokenization

/// `vitrail bench tokenizer`.
struct BenchTokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Time a tokenizer on lines of text, on one thread.",
        discussion: """
            EXAMPLES
              vitrail bench tokenizer Models/pebble lines.jsonl
              vitrail bench tokenizer models/qwen corpus.txt --json

            Reading the file is not counted.
            """)

    @Argument(help: "Folder with tokenizer.json, or with SentencePiece's tokenizer.model.", completion: .directory)
    var folder: String

    @Argument(help: "JSONL with \"text\" in each line, or a text a line.", completion: .file())
    var file: String

    @Option(help: ArgumentHelp("Passes over the text, after one of warm-up.", valueName: "n"))
    var passes = 5

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        try OptionRange.repeats.check(passes, "--passes")
    }

    func run() throws {
        let tokenizer = try Tokenizer(folder: folder)
        let texts = try TextLines.read(file)
        let bytes = texts.reduce(0) { $0 + $1.utf8.count }
        var tokens = 0
        let clock = ContinuousClock()
        let times = (0...passes).map { _ in
            tokens = 0
            return clock.measure { for text in texts { tokens += tokenizer.encode(text).count } } / .seconds(1)
        }
        let seconds = times.dropFirst().median
        let rate = Double(bytes) / max(seconds, 1e-9)
        if json {
            let object: JSON = [
                "lines": .int(texts.count), "bytes": .int(bytes), "tokens": .int(tokens), "seconds": .number(seconds),
                "bytes_per_second": .number(rate), "tokens_per_second": .number(Double(tokens) / max(seconds, 1e-9)),
            ]
            return Console.out(object.serialized())
        }
        Console.out(
            "\(texts.count.counted("line")), \(bytes.counted("byte")), \(tokens.counted("token")): "
                + "\(Formatting.decimal(rate / 1e6, 1)) MB/s, "
                + "\(Formatting.count(Double(tokens) / max(seconds, 1e-9))) tokens/s on one thread")
    }
}

/// Texts of a file: the `text` of each line of JSONL, or each line of anything else.
enum TextLines {
    static func read(_ path: String, isJSON: Bool? = nil) throws -> [String] {
        let bytes = try Files.read(path, limit: .max)
        let isJSON = isJSON ?? (Paths.fileExtension(path) == "jsonl")
        let texts = try bytes.withUnsafeBytes { raw in
            try Files.requireText(raw, of: path)
            return try JSONScanner.lines(of: raw).map { line in
                let text = UnsafeRawBufferPointer(rebasing: raw[line.range])
                guard isJSON else { return String(decoding: text, as: UTF8.self) }
                let place = "\(path):\(line.number)"
                guard let value = try JSON.parse(text, source: place)["text"]?.string else {
                    throw UserError("\(place): no \"text\"", fix: "each line is an object with a \"text\"")
                }
                return value
            }
        }
        guard !texts.isEmpty else { throw UserError("\(path): no text", fix: "a text a line, or JSONL with \"text\"") }
        return texts
    }
}
