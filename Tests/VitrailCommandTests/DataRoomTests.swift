import Foundation
import Testing

/// The steps of the data room one after another, as a user would give them.
struct DataRoomTests {
    private var templates: String { VitrailProcess.repository.appendingPathComponent("Datasets/templates").path }

    private func lines(_ vitrail: VitrailProcess, _ name: String) throws -> [[String: Any]] {
        try String(contentsOfFile: vitrail.path(name), encoding: .utf8).split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    @Test func recordsGoFromAFolderToAPageAndIntoShards() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        func run(_ arguments: String...) throws {
            let result = try vitrail.run(arguments)
            #expect(result.code == 0, "\(arguments): \(result.error)")
        }
        try run("synthesize", "shapes", "--split", "train=60")
        try run(
            "convert", "llava", "shapes/train/records.jsonl", "--templates", templates, "--task", "vqa-short",
            "--output",
            "asked.jsonl")
        let asked = try lines(vitrail, "asked.jsonl")
        #expect(asked.count == 60)
        for record in asked {
            let turns = try #require(record["conversations"] as? [[String: String]])
            #expect((record["templates"] as? [String])?.count == turns.count / 2)
        }
        // The parts of a step are the whole.
        for part in 1...3 {
            try run(
                "data", "template", "shapes/train/records.jsonl", "--templates", templates, "--task", "vqa-short",
                "--shard", "\(part)/3", "--output", "part-\(part).jsonl")
        }
        let parts = try (1...3).flatMap { try lines(vitrail, "part-\($0).jsonl") }
        func conversations(_ records: [[String: Any]]) throws -> Set<Data> {
            Set(
                try records.map {
                    try JSONSerialization.data(withJSONObject: $0["conversations"] ?? "", options: [.sortedKeys])
                })
        }
        #expect(try conversations(parts) == conversations(asked))
        try run("data", "filter", "asked.jsonl", "--pictures", "--min-side", "32", "--leaks", "--output", "clean.jsonl")
        try run("data", "dedupe", "clean.jsonl", "--near", "0.8", "--output", "unique.jsonl")
        let gone = try lines(vitrail, "unique.removed.jsonl").count + lines(vitrail, "unique.jsonl").count
        #expect(try gone == lines(vitrail, "clean.jsonl").count)
        try run("data", "mix", "unique.jsonl@first:10", "asked.jsonl@random:50%", "--output", "mix.jsonl")
        #expect(try lines(vitrail, "mix.jsonl").count == 40)
        try run("data", "validate", "mix.jsonl")
        let model = VitrailProcess.repository.appendingPathComponent("Models/pebble").path
        try run("data", "preview", "mix.jsonl", "--model", model, "--count", "5", "--output", "page.html")
        let page = try String(contentsOfFile: vitrail.path("page.html"), encoding: .utf8)
        #expect(page.contains("<article>") && page.contains("token loss") && !page.contains("http"))
        try run("data", "shard", "mix.jsonl", "--per-shard", "15", "--gzip", "--output", "shards/mix")
        try run("convert", "webdataset", "shards", "--output", "back.jsonl")
        #expect(try conversations(lines(vitrail, "back.jsonl")) == conversations(lines(vitrail, "mix.jsonl")))
    }

    /// Commands that are asked to stop do, say how to go on, and leave what that takes or nothing.
    /// Two signals come at once, as `timeout` sends them to the process and to its group; by themselves they may be any time apart on a
    /// busy machine, and a late one ends the process.
    @Test(arguments: ["TERM", "TERM INT"]) func stoppedCommandsLeaveWhatTheyGoOnFrom(signals: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let turns = #"[{"from":"human","value":"Say it."},{"from":"gpt","value":"It."}]"#
        try vitrail.write("{\"id\":\"a\",\"conversations\":\(turns)}\n", to: "line")
        #expect(try vitrail.shell("yes \"$(cat line)\" | head -n 600000 > data.jsonl").code == 0)
        /// Stops the call as soon as a file is there, and gives its exit code and what it said. A call that was over before the signal
        /// came is no stopped one, and is given again.
        func stop(_ call: String, at file: String) throws -> String {
            for _ in 0..<100 {
                let said = try vitrail.shell(
                    """
                    "$VITRAIL" \(call) 2>said &
                    until ls -A | grep -q '^\(file)' || ! kill -0 $!; do sleep 0.01; done
                    kill -STOP $!; for signal in \(signals); do kill -$signal $!; done; kill -CONT $!
                    wait $!; echo $?; cat said
                    """
                ).output
                guard said.hasPrefix("0\n") else { return said }
                _ = try vitrail.shell("rm -rf out.* set mix.*")
            }
            return "never stopped"
        }
        for call in ["convert llava data.jsonl", "data filter data.jsonl --refusals"] {
            let said = try stop(call + " --output out.jsonl", at: ".out.jsonl.unfinished")
            #expect(said.hasPrefix("130\nStopped; the same command "), "\(call): \(said)")
            #expect(!vitrail.exists("out.jsonl"))
            let words = call.split(separator: " ").map(String.init)
            #expect(try vitrail.run(words + ["--output", "out.jsonl"]).code == 0)
            #expect(try vitrail.text("out.jsonl").utf8.count { $0 == UInt8(ascii: "\n") } == 600_000)
            #expect(
                try vitrail.shell("rm out.*; ls -A | grep -v ^.output").output.split(separator: "\n") == [
                    "data.jsonl", "line", "said",
                ])
        }
        for (call, file) in [("synthesize set --count 100000", ".set"), ("data mix data.jsonl -o mix.jsonl", ".mix")] {
            let said = try stop(call, at: file)
            #expect(said == "130\nStopped; the same command begins anew.\n", "\(call): \(said)")
            #expect(
                try vitrail.shell("ls -A | grep -v ^.output").output.split(separator: "\n") == [
                    "data.jsonl", "line", "said",
                ])
        }
    }

    @Test func aModelFolderWritesRecords() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let model = VitrailProcess.repository.appendingPathComponent("Models/pebble").path
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=50").code == 0)
        let prompts = vitrail.folder.appendingPathComponent("prompts/rephrase")
        try FileManager.default.createDirectory(at: prompts, withIntermediateDirectories: true)
        try "user: \"{{ question }}\"\nmaximum_tokens: 12\ntemperature: 0\nstop: [\".\"]\n".write(
            to: prompts.appendingPathComponent("question.yaml"), atomically: true, encoding: .utf8)
        func generate() throws -> VitrailProcess.Result {
            try vitrail.run(
                "data", "generate", "rephrase", "--data", "shapes/train/captions.jsonl", "--model", model, "--prompts",
                "prompts", "--count", "6", "--output", "new.jsonl", "--json")
        }
        let first = try generate()
        #expect(first.code == 0, "\(first.error)")
        let made = try lines(vitrail, "new.jsonl")
        #expect(made.count == 6)
        // A second run has every answer in its journal.
        let second = try generate()
        #expect(second.output.contains("\"attempts\":0"), "\(second.output)")
    }

    @Test(arguments: [
        (["data", "generate", "rephrase", "--output", "o.jsonl"], 2, "either --endpoint or --model"),
        (["data", "generate", "lava", "--endpoint", "http://x", "--output", "o.jsonl"], 1, "did you mean \"llava\"?"),
        (["data", "mix", "a@first", "--output", "o.jsonl"], 1, "first:1000"),
        (["data", "filter", "none.jsonl", "--scripts", "latn"], 1, "latin"),
        (["data", "dedupe", "none.jsonl", "--near", "7"], 1, "0.3 to 1"),
        (["data", "template", "--list"], 1, "Datasets/templates"),
        (["data", "shard", "none.jsonl", "--per-shard", "0", "--output", "x"], 2, "--per-shard"),
    ])
    func wrongCallsSayWhatToDo(arguments: [String], code: Int32, hint: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try vitrail.run(arguments)
        #expect(result.code == code)
        #expect(result.error.contains(hint), "said: \(result.error)")
    }
}
