import ArgumentParser
import Basics
import Tokenization
import Training

/// `vitrail tokenizer encode`.
struct TokenizerEncodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encode", abstract: "Text to token ids; a line in, a line out.",
        discussion: """
            EXAMPLES
              vitrail tokenizer encode Models/pebble "a red circle"
              vitrail tokenizer encode Models/pebble --input lines.jsonl --json
            """)

    @Argument(help: "Folder with tokenizer.json, or with SentencePiece's tokenizer.model.", completion: .directory)
    var folder: String

    @Argument(help: "Text; without it, --input.")
    var text: String?

    @Option(help: ArgumentHelp("JSONL with \"text\" in each line.", valueName: "file"))
    var input: String?

    @Flag(help: "Add the tokenizer's own special tokens, and read special tokens in the text as such.")
    var special = false

    @Flag(help: "Print {\"ids\": …} a line.")
    var json = false

    @Flag(help: "Say on standard error how long encoding the lines took, reading and printing not counted.")
    var time = false

    func validate() throws {
        if (text == nil) == (input == nil) { throw ValidationError("Give either a text, or --input.") }
    }

    func run() throws {
        let tokenizer = try Tokenizer(folder: folder)
        func show(_ ids: [Int32]) {
            let list = ids.map(String.init).joined(separator: json ? ", " : " ")
            Console.out(json ? "{\"ids\": [\(list)]}" : list)
        }
        func encode(_ text: String) -> [Int32] {
            tokenizer.encode(text, addSpecialTokens: special, allowSpecial: special)
        }
        if let text { show(encode(text)) }
        guard let input else { return }
        let texts = try TextLines.read(input, isJSON: true)
        var lines: [[Int32]] = []
        lines.reserveCapacity(texts.count)
        let before = ProcessTime.seconds
        let elapsed = ContinuousClock().measure { for text in texts { lines.append(encode(text)) } }
        let processor = ProcessTime.seconds - before
        lines.forEach(show)
        if time { Console.error("encoding took \(elapsed / .seconds(1)) s, processor \(processor) s") }
    }
}
