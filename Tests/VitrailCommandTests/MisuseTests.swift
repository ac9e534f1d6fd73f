import Foundation
import Testing

/// Calls that would have done harm, or something else than what was asked, without a word.
struct MisuseTests {
    private static let pebble = VitrailProcess.repository.appendingPathComponent("Models/pebble").path

    private func prepare() throws -> VitrailProcess {
        let vitrail = try VitrailProcess()
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=8,test=6").code == 0)
        return vitrail
    }

    /// `--force` replaces what such a command has made, never what it reads, and never other things.
    @Test func forceReplacesNothingElse() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        func refused(_ arguments: String..., saying words: String) throws {
            let result = try vitrail.run(arguments)
            #expect(
                result.code == 1 && result.error.contains(words) && result.error.contains("fix: "), "\(result.error)")
        }
        #expect(
            try vitrail.shell("cp -r '\(Self.pebble)' model && mkdir work && echo dear > work/thesis.txt").code == 0)
        try refused("export", "model", "model", "--force", saying: "holds what is read")
        try refused("export", "work/../model", ".", "--force", saying: "holds what is read")
        try refused("export", "model", "work", "--force", saying: "--force would remove something else")
        try refused("synthesize", "work", "--split", "test=2", "--force", saying: "--force would remove something else")
        #expect(try vitrail.text("work/thesis.txt") == "dear\n")
        #expect(try vitrail.run("export", "model", "out").code == 0)
        #expect(try vitrail.run("export", "model", "out", "--dtype", "bfloat16", "--force").code == 0)
        #expect(try vitrail.run("synthesize", "shapes", "--split", "test=2", "--force").code == 0)
    }

    /// An adapter that cannot become part of the weights goes with them; a checkpoint that lacks its adapter is refused.
    @Test func adaptersAreNotLostOnTheWay() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        try vitrail.write(
            """
            model: \(Self.pebble)
            stages:
              - name: tune
                tune: {language: {method: prompt, tokens: 4}}
                data: [shapes/train/records.jsonl]
                learning_rate: 1.0e-1
                steps: 3
                batch_size: 2
            """, to: "prompt.yaml")
        #expect(try vitrail.run("train", "prompt.yaml", "--output", "run", "--threads", "1").code == 0)
        let exported = try vitrail.run("export", "run", "out")
        #expect(exported.code == 0 && exported.error.contains("out/adapter"), "\(exported.error)")
        func loss(_ model: String) throws -> String {
            try vitrail.run("score", model, "--data", "shapes/test", "--threads", "1", "--json").lines.last ?? ""
        }
        #expect(try loss("out") == loss("run/final") && loss("out") != loss(Self.pebble))
        let narrow = try vitrail.run("export", "run", "narrow", "--dtype", "bfloat16")
        #expect(narrow.code == 1 && narrow.error.contains("no part of the weights"), "\(narrow.error)")
        for call in [
            ["export", "run/checkpoints/tune/step-3", "x"],
            ["score", "run/checkpoints/tune/step-3", "--data", "shapes/test"],
        ] {
            let refused = try vitrail.run(call)
            #expect(refused.code == 1 && refused.error.contains("whose adapter is no part"), "\(refused.error)")
        }
    }

    @Test(arguments: [
        (["evaluate", pebble, "--data", "q.jsonl"], 1, "q.jsonl: the question 0 has no \"answers\""),
        (["evaluate", pebble, "--data", "torn.jsonl"], 1, "torn.jsonl:1:13: "),
        (["answer", "--model", pebble, "--input", "torn.jsonl"], 1, "torn.jsonl:1:13: "),
        (["score", pebble, "--text", "latin1.txt"], 1, "latin1.txt:2: byte 0xe9"),
        (["bench", "tokenizer", pebble, "latin1.txt"], 1, "latin1.txt:2: byte 0xe9"),
        (
            ["answer", "--model", pebble, "--question", "x", "--max-new-tokens", "-1"], 2,
            "--max-new-tokens -1 is out of range"
        ),
        (["score", pebble, "--data", "q.jsonl", "--limit", "-2"], 2, "--limit -2 is out of range"),
        (["estimate", "r.yaml", "--methods", ""], 1, "no method is named"),
        (
            ["synthesize", "out", "--split", "train=9223372036854775807,val=1"], 1,
            "9223372036854775807 pictures of train are out of range"
        ),
        (["estimate", "r.yaml", "--memory", "nan"], 2, "--memory nan is out of range"),
        (["export", pebble, "out", "--shard-size", "nan"], 2, "--shard-size nan is no size"),
        (
            ["train", "r.yaml", "--set", "stages.a.learning_rate=-1"], 1,
            "stages[0].learning_rate: -1.0 is out of range"
        ),
    ])
    func whatCannotBeIsTold(call: [String], code: Int32, words: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write("{\"question\":\"What?\"}\n", to: "q.jsonl")
        try vitrail.write("{\"question\":\n", to: "torn.jsonl")
        let stage = "{name: a, train: [language], data: [d], learning_rate: 1}"
        try vitrail.write("model: \(Self.pebble)\nstages: [\(stage)]\n", to: "r.yaml")
        #expect(try vitrail.shell("printf 'a\\ncaf\\351\\n' > latin1.txt").code == 0)
        let result = try vitrail.run(call)
        #expect(result.code == code && result.error.contains(words), "\(result.error)")
        #expect(try vitrail.list(".").filter { $0.hasPrefix("runs") || $0 == "out" }.isEmpty)
    }
}
