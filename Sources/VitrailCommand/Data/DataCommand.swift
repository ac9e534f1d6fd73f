import ArgumentParser

/// `vitrail data`.
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Check, measure, make, recast, mix, clean and look at instruction data.",
        discussion: """
            EXAMPLES
              vitrail data validate data/shapes/train
              vitrail data filter mix.jsonl --output clean.jsonl --refusals --pictures
              vitrail data preview clean.jsonl --model Models/pebble --output look.html

            Every step reads records and writes records, complete or not at all.
            """,
        subcommands: [
            DataValidateCommand.self, DataStatsCommand.self, DataTemplateCommand.self, DataMixCommand.self,
            DataFilterCommand.self, DataDedupeCommand.self, DataPreviewCommand.self, DataGenerateCommand.self,
            DataShardCommand.self,
        ])
}
