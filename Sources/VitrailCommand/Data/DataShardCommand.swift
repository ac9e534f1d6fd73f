import ArgumentParser
import Basics
import InstructionData

/// `vitrail data shard`.
struct DataShardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shard",
        abstract: "Write records with their pictures as WebDataset tar shards.",
        discussion: """
            Shards that are there are left alone: a run that was killed goes on. vitrail convert webdataset reads them.

            EXAMPLES
              vitrail data shard mix.jsonl --output shards/train --per-shard 2000
              vitrail data shard mix.jsonl --output shards/train --gzip --shard 3/8
            """)

    @OptionGroup var options: DataOptions

    @Option(name: .shortAndLong, help: ArgumentHelp("Path and beginning of the shards' names.", valueName: "prefix"))
    var output: String

    @Option(help: ArgumentHelp("Samples of one shard.", valueName: "n"))
    var perShard = 1_000

    @Flag(help: "Compress the shards (.tar.gz).")
    var gzip = false

    @Option(
        help: ArgumentHelp("Only part i of n of the shards, so that several machines share the work.", valueName: "i/n")
    )
    var shard: String?

    func validate() throws {
        try OptionRange.limit.check(perShard, "--per-shard")
        if output.isEmpty { throw ValidationError("--output needs a prefix, such as shards/train.") }
    }

    func run() throws {
        let dataset = try options.open()
        var writing = ShardWriting()
        writing.perShard = perShard
        writing.isCompressed = gzip
        writing.shard = try shard.map { try Conversion.Shard($0) }
        let (written, kept) = try ProgressLine.running("record") { show in
            try writing.run(dataset, to: output, workers: options.workers, progress: show)
        }
        if options.json {
            return Console.out(JSON.object(["written": .int(written), "kept": .int(kept)]).serialized())
        }
        Console.error(
            "\(written.counted("shard")): \(ShardWriting.beginning(of: output))*.tar\(gzip ? ".gz" : "")"
                + (kept > 0 ? ", \(Formatting.count(kept)) there already" : ""))
    }
}
