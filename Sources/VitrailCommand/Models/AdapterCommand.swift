import ArgumentParser

/// `vitrail adapter`.
struct AdapterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapter", abstract: "Merge, list and describe adapters: folders as PEFT has them.",
        discussion: """
            EXAMPLES
              vitrail adapter list runs/
              vitrail adapter info runs/lora/adapters/instruct
              vitrail adapter merge runs/lora/adapters/instruct --model Models/pebble --output merged
            """,
        subcommands: [
            AdapterListCommand.self, AdapterInfoCommand.self, AdapterMergeCommand.self, AdapterWriteCommand.self,
        ])
}
