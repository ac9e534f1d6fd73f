import ArgumentParser
import Basics
import Tokenization

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
        let twice = Dictionary(grouping: special.split(separator: ","), by: \.self).first { $1.count > 1 }
        if let name = twice?.key { throw ValidationError("--special names \(name) twice. Keep one.") }
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
        // Before the work, which would be lost where no folder can be made.
        var folder = try AtomicFiles(in: output)
        let learned = try TokenizerFiles(training: trainer, roles: roles)
        try learned.write(to: &folder)
        try folder.commit()
        let size = try Tokenizer(folder: output).vocabularySize
        try Written.folder(
            output, "tokenizer", json: json, "\(size.counted("token")) → \(output)",
            facts: ["tokens": .int(size)])
    }
}
