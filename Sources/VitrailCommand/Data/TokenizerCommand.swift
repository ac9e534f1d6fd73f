import ArgumentParser

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
