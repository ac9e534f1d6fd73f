import Foundation
import Testing

/// Every command explains itself, and what is wrong with a call.
struct HelpTests {
    static let commands = [
        "train", "caption", "answer", "evaluate", "convert", "synthesize", "report", "data", "tokenizer", "adapter",
        "inspect", "export", "score", "bench", "doctor",
    ]

    @Test(arguments: commands) func helpHasExamples(command: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try vitrail.run(command, "--help")
        #expect(result.code == 0)
        #expect(result.output.contains("USAGE: vitrail \(command)"))
        // A command of subcommands or without arguments needs none.
        if !["data", "adapter", "bench", "tokenizer", "doctor"].contains(command) {
            #expect(result.output.contains("EXAMPLES"))
        }
        #expect(!result.output.contains("\u{1B}"), "no colours where no terminal is")
    }

    @Test func helpNamesEveryCommand() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try vitrail.run("--help")
        #expect(result.code == 0)
        for command in Self.commands { #expect(result.output.contains("  \(command) ")) }
    }

    /// Calls that are wrong in themselves: exit code 2 and a word of help.
    @Test(arguments: [
        (["trian", "a.yaml"], "train"),
        (["bench", "stpe"], "vitrail bench step"),
        (["bench", "growth", "--along", "depth"], "batch, sequence, width or threads"),
        (["bench", "quality", "m"], "--questions"),
        (["bench", "tower", "--memory-limit", "0"], "GiB"),
        (["synthesize", "x", "--threads", "0"], "1 to 1024"),
        (["train"], "Missing expected argument"),
        (["caption", "a.png"], "--model"),
        (["caption", "--model", "m", "--tmperature", "1", "a.png"], "tmperature"),
        (["answer", "--model", "m", "--threads", "0", "--image", "a", "--question", "b"], "1 to 1024"),
        (["evaluate", "m", "--data", "d", "--limit", "many"], "limit"),
        (["export", "a", "b", "--dtype", "int3"], "float16"),
    ])
    func wrongUse(arguments: [String], hint: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try vitrail.run(arguments)
        #expect(result.code == 2)
        #expect(result.error.contains(hint), "said: \(result.error)")
        #expect(result.output.isEmpty)
    }

    /// Calls whose files are wrong: exit code 1, what and where, and a fix.
    @Test(arguments: [
        (["train", "none.yaml"], "none.yaml"),
        (["train", "."], "."),
        (["caption", "--model", "none", "a.png"], "a.png"),
        (["inspect", "none.png"], "none.png"),
        (["evaluate", "--predictions", "none.jsonl"], "none.jsonl"),
        (["convert", "csv", "none.csv", "--output", "o.jsonl"], "none.csv"),
        (["convert", "coco-captoins", "x", "--output", "o.jsonl"], "coco-captions"),
        (["report", "none"], "none"),
        (["export", "none", "out"], "none"),
        (["score", "none", "--data", "none.jsonl"], "none"),
        (["adapter", "info", "none"], "none"),
    ])
    func wrongFiles(arguments: [String], named: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try vitrail.run(arguments)
        #expect(result.code == 1, "said: \(result.error)")
        #expect(result.error.contains("error: ") && result.error.contains(named), "said: \(result.error)")
        #expect(result.error.contains("fix: "), "said: \(result.error)")
        #expect(try vitrail.list(".").isEmpty, "nothing half-written")
    }
}
