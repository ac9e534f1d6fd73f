import Foundation
import Testing

/// Every command explains itself, and what is wrong with a call.
struct HelpTests {
    /// Every command and subcommand with its help, found by walking down from `vitrail --help`.
    private static let commands: [(path: [String], help: String)] = {
        guard let vitrail = try? VitrailProcess() else { return [] }
        defer { vitrail.remove() }
        func walk(_ path: [String]) -> [(path: [String], help: String)] {
            guard let result = try? vitrail.run(path + ["--help"]), result.code == 0 else { return [(path, "")] }
            let list = result.output.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().first ?? ""
            let names = list.components(separatedBy: "\n\n")[0].split(separator: "\n").compactMap { line in
                // A line that goes on stands further to the right.
                line.hasPrefix("  ") && !line.hasPrefix("   ") ? line.split(separator: " ").first.map(String.init) : nil
            }
            return [(path, result.output)] + names.flatMap { walk(path + [$0]) }
        }
        return walk([])
    }()

    private static let names = commands.map { $0.path.joined(separator: " ") }

    #if os(Linux)
        /// OpenBLAS takes 4 ms and 3 MB to load, and does not end where address space is scarce.
        @Test func librariesThatFewNeedAreNotLoaded() throws {
            let vitrail = try VitrailProcess()
            defer { vitrail.remove() }
            let help = try vitrail.shell("LD_DEBUG=files \"$VITRAIL\" --help").error
            #expect(help.contains("libpng") && !help.contains("libopenblas") && !help.contains("libcurl"))
            // Processors without AVX2 multiply with it.
            let step = "bench step --preset tiny --steps 1"
            let old = try vitrail.shell("LD_DEBUG=files VITRAIL_CPU=baseline \"$VITRAIL\" \(step)")
            #expect(old.code == 0 && old.error.contains("libopenblas"))
        }
    #endif

    @Test func everyCommandIsFound() {
        for name in ["train", "caption", "data generate", "bench step", "adapter merge", "pet label"] {
            #expect(Self.names.contains(name), "\(Self.names)")
        }
    }

    @Test(arguments: names) func helpHasUsageAndExamples(name: String) throws {
        let help = try #require(Self.commands.first { $0.path.joined(separator: " ") == name }).help
        #expect(help.contains(name.isEmpty ? "USAGE: vitrail" : "USAGE: vitrail \(name)"))
        let examples = help.components(separatedBy: "EXAMPLES\n").dropFirst().first ?? ""
        #expect(examples.hasPrefix("  vitrail \(name)"), "\(help)")
        #expect(!help.contains("\u{1B}"), "no colours where no terminal is")
    }

    /// Calls in the documentation and in help name commands and options that there are.
    @Test func callsInTheDocumentationAreRight() throws {
        let repository = VitrailProcess.repository
        var texts = Self.commands.map { ("help of \($0.path)", $0.help.components(separatedBy: "USAGE")[0]) }
        for place in ["README.md", "CONTRIBUTING.md", "Sources", "Datasets", "Models", "Scripts"] {
            let root = repository.appendingPathComponent(place)
            let inside = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
            for name in [""] + inside where (name.isEmpty ? place : name).hasSuffix(".md") {
                let file = name.isEmpty ? root : root.appendingPathComponent(name)
                texts.append((file.path, try String(contentsOf: file, encoding: .utf8)))
            }
        }
        #expect(texts.count > 60)
        let call = /(?:^|[\s`$(])vitrail ((?:[^\n`|;&#]|\\\n)*)/
        let option = /(?:^|\s)(--[a-z0-9][a-z0-9-]*)/
        var seen = 0
        for (source, text) in texts {
            for match in text.matches(of: call) {
                let words = match.1.split(whereSeparator: \.isWhitespace).map(String.init)
                let command = Self.commands.filter { !$0.path.isEmpty && words.starts(with: $0.path) }.max {
                    $0.path.count < $1.path.count
                }
                guard let command else { continue }
                let usage = command.help.components(separatedBy: "USAGE").dropFirst().joined()
                let known = usage.split { !($0.isLetter || $0.isNumber || $0 == "-") }
                for found in match.1.matches(of: option) {
                    seen += 1
                    #expect(known.contains(found.1), "\(source): vitrail \(match.1)")
                }
            }
        }
        #expect(seen > 100, "calls are found at all")
    }

    /// Calls that are wrong in themselves: exit code 2 and a word of help.
    @Test(arguments: [
        (["trian", "a.yaml"], "train"),
        (["bench", "stpe"], "vitrail bench step"),
        (["help", "nope"], "unknown command \"nope\""),
        (["help", "capton"], "vitrail help caption"),
        (["help", "data", "mx"], "vitrail help data mix"),
        (["bench", "growth", "--along", "depth"], "batch, sequence, width or threads"),
        (["bench", "quality", "m"], "--questions"),
        (["bench", "tower", "--memory-limit", "0"], "GiB"),
        (["synthesize", "x", "--threads", "0"], "1 to 1024"),
        (["train"], "Missing expected argument"),
        (["caption", "a.png"], "--model"),
        // What is misspelt is told before what it makes seem to be missing.
        (["caption", "--modell", "m", "a.png"], "Unknown option '--modell'. Did you mean '--model'?"),
        (["pet", "label", "p", "q", "--modle=m"], "Unknown option '--modle'. Did you mean '--model'?"),
        (["data", "generate", "llava", "--outputt", "o"], "Unknown option '--outputt'. Did you mean '--output'?"),
        (["caption", "--zebra", "a.png"], "Unknown option '--zebra'\nUsage: vitrail caption"),
        (["caption", "--model", "m", "--tmperature", "1", "a.png"], "tmperature"),
        (["answer", "--model", "m", "--threads", "0", "--image", "a", "--question", "b"], "1 to 1024"),
        (["evaluate", "m", "--data", "d", "--limit", "many"], "limit"),
        (["export", "a", "b", "--dtype", "int3"], "float16"),
        (["evaluate", "m", "--data", "d", "--limit=-1"], "--limit -1 is out of range"),
        (["caption", "--model", "m", "--max-new-tokens", "9223372036854775807", "a.png"], "1 to 1000000"),
        (["answer", "--model", "m", "--temperature", "nan", "--image", "a", "--question", "b"], "--temperature nan"),
        (["synthesize", "x", "--count", "9223372036854775807"], "1 to 10000000"),
        (["data", "shard", "a", "--output", "x", "--per-shard", "9223372036854775807"], "--per-shard"),
        (["export", "a", "b", "--vocabulary-multiple", "9223372036854775807"], "--vocabulary-multiple"),
        (["bench", "step", "--batch", "9223372036854775807"], "--batch"),
        (["bench", "decode", "--prompt", "9223372036854775807"], "--prompt"),
        (["bench", "tokenizer", "m", "f", "--passes", "9223372036854775807"], "--passes"),
        (["pet", "label", "p", "q", "--model", "m", "--temperature", "nan"], "--temperature"),
        (["data", "generate", "llava", "--model", "m", "--requests-per-minute", "1e-300", "-o", "o"], "--requests"),
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
