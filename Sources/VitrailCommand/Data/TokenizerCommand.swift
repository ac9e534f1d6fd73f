import ArgumentParser
import Basics
import Tokenization
import Training

/// `vitrail tokenizer`.
struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Train a tokenizer, and see what one makes of text.",
        discussion: """
            EXAMPLES
              vitrail tokenizer train corpus.txt --vocabulary 640 --output tokenizer
              vitrail tokenizer encode Models/pebble "a red circle"
            """,
        subcommands: [TokenizerTrainCommand.self, TokenizerEncodeCommand.self, TokenizerDecodeCommand.self])
}

/// `vitrail tokenizer train`.
struct TokenizerTrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Learn a byte-level BPE vocabulary from text files, in Hugging Face's tokenizer.json form.",
        discussion: """
            EXAMPLES
              vitrail tokenizer train data/shapes/train/corpus.txt --vocabulary 640 --output Models/own/tokenizer
            """)

    @Argument(help: "Text files; of JSONL files the \"text\" of each line.", completion: .file())
    var files: [String]

    @Option(help: ArgumentHelp("Tokens in all, special ones and the 256 bytes included.", valueName: "n"))
    var vocabulary = 1_024

    @Option(help: ArgumentHelp("Pairs must occur this often to be merged.", valueName: "n"))
    var minFrequency = 2

    @Option(help: ArgumentHelp("Special tokens, in the order of their ids.", valueName: "list"))
    var special = "<unk>,<s>,</s>,<image>"

    @Option(help: ArgumentHelp("Folder to write.", valueName: "folder"))
    var output: String

    @Flag(help: "Print one JSON object about what was written.")
    var json = false

    func validate() throws {
        // 256 bytes and one token at least.
        try (257...10_000_000).check(vocabulary, "--vocabulary")
        try OptionRange.limit.check(minFrequency, "--min-frequency")
    }

    func run() throws {
        if Files.exists(Paths.join(output, "config.json")) {
            throw UserError(
                "\(output) holds a model, whose tokens would no longer be those that it has learned",
                fix: "name another folder with --output")
        }
        let names = special.split(separator: ",").map(String.init)
        var trainer = BPETrainer(vocabularySize: vocabulary, minFrequency: minFrequency, specialTokens: names)
        for file in files {
            guard Paths.fileExtension(file) == "jsonl" else {
                try trainer.add(file: file)
                continue
            }
            for line in try Files.readLines(file, limit: .max) {
                guard let text = try JSON.parse(line.text, line: line.number, of: file)["text"]?.string else {
                    throw UserError(
                        "\(file):\(line.number): no \"text\"", fix: "each line is an object with a \"text\"")
                }
                trainer.add(text)
            }
        }
        func name(_ token: String) -> String? { names.contains(token) ? token : nil }
        let roles = TokenizerFiles.Roles(bos: name("<s>"), eos: name("</s>"), pad: name("<pad>"), unk: name("<unk>"))
        let learned = try TokenizerFiles(training: trainer, roles: roles)
        try Files.createDirectory(output)
        try learned.write(to: output)
        let size = try Tokenizer(folder: output).vocabularySize
        try Written.folder(
            output, "tokenizer", json: json, "\(Formatting.count(size)) tokens → \(output)",
            facts: ["tokens": .int(size)])
    }
}

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
