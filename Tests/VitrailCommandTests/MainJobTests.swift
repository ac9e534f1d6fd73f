import Foundation
import Testing

/// From nothing to captions through the commands alone, interrupted on the way.
struct MainJobTests {
    private static let recipe = """
        model: \(VitrailProcess.repository.path)/Models/pebble
        seed: 5
        threads: 2
        stages:
          - name: align
            train: [projector]
            data: [shapes/train/captions.jsonl]
            template: plain
            learning_rate: 1.0e-3
            batch_size: 8
            steps: 3
          - name: instruct
            train: [vision, projector, language]
            data: [shapes/train/records.jsonl]
            learning_rate: {peak: 1.0e-3, vision: 1.0e-4}
            batch_size: 4
            steps: 12
            log_every: 1
            evaluate: {data: shapes/val/questions.jsonl, metrics: [exact], limit: 10, every: 6, max_new_tokens: 4}
        """

    /// A small picture set and the recipe above.
    private func prepare() throws -> VitrailProcess {
        let vitrail = try VitrailProcess()
        try vitrail.write(Self.recipe, to: "recipe.yaml")
        let drawn = try vitrail.run("synthesize", "shapes", "--split", "train=40,val=10,test=12", "--json")
        #expect(drawn.code == 0, "said: \(drawn.error)")
        return vitrail
    }

    @Test func trainInterruptResumeUse() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let whole = try vitrail.run("train", "recipe.yaml", "--output", "whole")
        #expect(whole.code == 0, "said: \(whole.error)")
        #expect(!whole.error.contains("\u{1B}") && !whole.error.contains("\r"), "plain lines where no terminal is")

        // Ctrl-C in the second stage: the step is finished and saved, and the resumed run ends with the same weights. Lines that wait to be
        // read hold the run before its last step.
        let stopped = try vitrail.run("train", "recipe.yaml", "--output", "parts", interruptedAt: "step 1/12")
        #expect(stopped.code == 130, "said: \(stopped.error)")
        #expect(stopped.error.contains("--resume"))
        #expect(!vitrail.exists("parts/final"))
        let again = try vitrail.run("train", "recipe.yaml", "--output", "parts")
        #expect(again.code == 1 && again.error.contains("--resume"), "a run is never overwritten")
        let resumed = try vitrail.run("train", "recipe.yaml", "--output", "parts", "--resume")
        #expect(resumed.code == 0, "said: \(resumed.error)")
        #expect(try vitrail.bytes("parts/final/model.safetensors") == vitrail.bytes("whole/final/model.safetensors"))

        for file in ["recipe.yaml", "metrics.jsonl", "summary.json", "evaluations.jsonl", "report.html"] {
            #expect(vitrail.exists("parts/\(file)"), "\(file)")
        }
        #expect(try vitrail.text("parts/metrics.jsonl").split(separator: "\n").count == 15)
        let summary = try object(vitrail.text("parts/summary.json"))
        #expect(summary["threads"] as? Int == 2)
        #expect((summary["stages"] as? [Any])?.count == 2)

        try caption(vitrail)
        try question(vitrail)
    }

    /// Captions of a folder, resumed where the first call stopped, and the same in a batch as alone.
    private func caption(_ vitrail: VitrailProcess) throws {
        let call = ["caption", "--model", "whole/final", "shapes/test/images", "--max-new-tokens", "8"]
        let written = try vitrail.run(call + ["--output", "captions.jsonl"])
        #expect(written.code == 0, "said: \(written.error)")
        let lines = try vitrail.text("captions.jsonl").split(separator: "\n")
        #expect(lines.count == 12)
        // As after a kill: whole lines and a torn one.
        try vitrail.write(lines.prefix(5).joined(separator: "\n") + "\n" + lines[5].prefix(20), to: "captions.jsonl")
        #expect(try vitrail.run(call + ["--output", "captions.jsonl"]).code == 0)
        #expect(try vitrail.text("captions.jsonl").split(separator: "\n") == lines)

        let alone = try vitrail.run(call + ["--batch", "1", "--json"])
        let batched = try vitrail.run(call + ["--batch", "7", "--json"])
        #expect(alone.lines.count == 12)
        #expect(alone.lines == batched.lines)
        // Four batches on three threads: three side by side, and one on all of them.
        let aside = try vitrail.run(call + ["--batch", "3", "--threads", "3", "--json"])
        #expect(alone.lines == aside.lines)
        // In bfloat16 the first two of four batches on two threads generate their tokens together.
        let narrow = call + ["--batch", "3", "--precision", "bfloat16", "--json"]
        let inTurn = try vitrail.run(narrow + ["--threads", "1"])
        let together = try vitrail.run(narrow + ["--threads", "2"])
        #expect(inTurn.lines.count == 12 && inTurn.lines == together.lines)
    }

    /// Questions of a file, measured; the raw predictions measure the same.
    private func question(_ vitrail: VitrailProcess) throws {
        let measured = try vitrail.run(
            "evaluate", "whole/final", "--data", "shapes/test/questions.jsonl", "--metrics", "exact", "--output",
            "predictions.jsonl", "--json")
        #expect(measured.code == 0, "said: \(measured.error)")
        let score = try object(measured.output)
        let elsewhere = try vitrail.run(
            "evaluate", "--predictions", "predictions.jsonl", "--metrics", "exact", "--json")
        let same = try object(elsewhere.output)
        let scores = try #require(score["metrics"] as? NSArray)
        #expect(scores.count == 1)
        #expect(scores == same["metrics"] as? NSArray)
        let exported = try vitrail.run("export", "whole", "exported", "--dtype", "bfloat16")
        #expect(exported.code == 0, "said: \(exported.error)")
        let inspected = try object(try vitrail.run("inspect", "exported", "--json").output)
        #expect(inspected["dtype"] as? String == "bfloat16" || "\(inspected)".contains("bfloat16"))
        let report = try vitrail.run("report", "whole", "parts", "--output", "comparison.html")
        #expect(report.code == 0 && vitrail.exists("comparison.html"))
    }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    /// A picture that does not decode is told of with its name; the others are captioned, and the exit code says so.
    @Test func brokenPictureAmongGoodOnes() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        try vitrail.write("no picture", to: "shapes/test/images/zz broken ü.png")
        let result = try vitrail.run(
            "caption", "--model", VitrailProcess.repository.path + "/Models/pebble", "shapes/test/images",
            "--max-new-tokens", "2", "--json")
        #expect(result.error.contains("zz broken ü.png"), "said: \(result.error)")
        #expect(result.lines.filter { !$0.contains("\"error\"") }.count == 12)
        #expect(result.code == 1)
        // With a journal it is tried once, and told of again.
        let call = [
            "caption", "--model", VitrailProcess.repository.path + "/Models/pebble", "shapes/test/images",
            "--max-new-tokens", "2", "--output", "captions.jsonl",
        ]
        #expect(try vitrail.run(call).code == 1)
        let again = try vitrail.run(call)
        #expect(again.code == 1 && again.error.contains("1 of those there have an \"error\""), "said: \(again.error)")
        #expect(try vitrail.text("captions.jsonl").split(separator: "\n").count == 13)
    }

    /// CSV in Excel's manner (byte order mark, quotes, semicolons are not guessed) with a column that is not there.
    @Test func missingColumnNamesTheNearest() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        try vitrail.write("file,question,answer\nshapes/test/images/000000.png,\"What, then?\",A\n", to: "qa.csv")
        let wrong = try vitrail.run(
            "convert", "csv", "qa.csv", "--image-column", "fiel", "--question-column", "question", "--answer-column",
            "answer", "--output", "out.jsonl")
        #expect(wrong.code == 1 && wrong.error.contains("file"), "said: \(wrong.error)")
        #expect(!vitrail.exists("out.jsonl"))
        let right = try vitrail.run(
            "convert", "csv", "qa.csv", "--image-column", "file", "--question-column", "question", "--answer-column",
            "answer", "--output", "out.jsonl")
        #expect(right.code == 0, "said: \(right.error)")
        #expect(try vitrail.text("out.jsonl").contains("What, then?"))
    }
}
