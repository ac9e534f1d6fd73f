import ArgumentParser
import Basics
import Tokenization

/// `vitrail tokenizer decode`.
struct TokenizerDecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Token ids to text; a line in, a line out.",
        discussion: """
            EXAMPLES
              vitrail tokenizer decode Models/pebble 270 301 288
              vitrail tokenizer decode Models/pebble --input ids.jsonl --json
            """)

    @Argument(help: "Folder with tokenizer.json, or with SentencePiece's tokenizer.model.", completion: .directory)
    var folder: String

    @Argument(help: "Token ids; without them, --input.")
    var ids: [Int32] = []

    @Option(help: ArgumentHelp("JSONL with \"ids\" in each line.", valueName: "file"))
    var input: String?

    @Flag(help: "Show special tokens.")
    var special = false

    @Flag(help: "Print {\"text\": …} a line.")
    var json = false

    func validate() throws {
        if ids.isEmpty == (input == nil) { throw ValidationError("Give either ids, or --input.") }
    }

    func run() throws {
        let tokenizer = try Tokenizer(folder: folder)
        func show(_ ids: [Int32]) {
            let text = tokenizer.decode(ids, skipSpecialTokens: !special)
            Console.out(json ? JSON.object(["text": .string(text)]).serialized() : text)
        }
        if !ids.isEmpty { show(try checked(ids, folder, tokenizer)) }
        guard let input else { return }
        let bytes = try Files.read(input, limit: .max)
        let lines = try bytes.withUnsafeBytes { raw in
            try JSONScanner.lines(of: raw).map { line in
                let place = "\(input):\(line.number)"
                let json = try JSON.parse(UnsafeRawBufferPointer(rebasing: raw[line.range]), source: place)
                guard let values = json["ids"]?.array?.map(\.int), !values.contains(nil) else {
                    throw UserError(
                        "\(place): no \"ids\"", fix: "each line is an object with \"ids\", a list of numbers")
                }
                return try checked(values.map { Int32(clamping: $0!) }, place, tokenizer)
            }
        }
        lines.forEach(show)
    }

    /// - Throws: naming the first id that is none of the vocabulary.
    private func checked(_ ids: [Int32], _ place: String, _ tokenizer: Tokenizer) throws -> [Int32] {
        guard let other = ids.first(where: { !(0..<Int32(tokenizer.vocabularySize)).contains($0) }) else { return ids }
        throw UserError(
            "\(place): \(other) is no token: the vocabulary has \(tokenizer.vocabularySize)",
            fix: "take ids that this tokenizer made")
    }
}
