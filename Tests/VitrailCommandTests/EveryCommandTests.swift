import Foundation
import Testing

/// The commands that no other test runs, each once on something small, compared with what must hold of it.
struct EveryCommandTests {
    private static let pebble = VitrailProcess.repository.appendingPathComponent("Models/pebble").path
    private static let recipe = """
        model: \(pebble)
        caption_prompt: What is there?
        stages:
          - name: tune
            tune: {language: {method: lora, rank: 2}}
            data: [shapes/train/records.jsonl]
            learning_rate: 2.0e-3
            steps: 3
            batch_size: 2
        """

    private func objects(_ result: VitrailProcess.Result) throws -> [[String: Any]] {
        #expect(result.code == 0, "said: \(result.error)")
        return try result.lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private func prepare() throws -> VitrailProcess {
        let vitrail = try VitrailProcess()
        try vitrail.write(Self.recipe, to: "lora.yaml")
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=12,val=6").code == 0)
        return vitrail
    }

    /// An adapter under the model and the model that it was merged into are one model, also after export.
    @Test func adaptersAreMadeDescribedMergedAndExported() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        func json(_ arguments: String...) throws -> [[String: Any]] { try objects(vitrail.run(arguments)) }

        let estimate = try #require(try json("estimate", "lora.yaml", "--steps", "1", "--threads", "1", "--json").first)
        #expect(try vitrail.run("train", "lora.yaml", "--output", "run", "--threads", "1").code == 0)
        let adapter = "run/adapters/tune"
        let listed = try json("adapter", "list", "run", "--json")
        #expect(listed.map { $0["adapter"] as? String } == [adapter])
        // Rank 2 beside query, output, key, value, gate, up and down of four blocks.
        let parameters = 4 * 2 * (2 * (128 + 128) + 2 * (128 + 64) + 3 * (128 + 384))
        #expect(listed.first?["parameters"] as? Int == parameters)
        #expect(estimate["trainable"] as? Int == parameters && estimate["steps"] as? Int == 3)
        let fit = try json("adapter", "info", adapter, "--model", Self.pebble, "--json")
        #expect(fit.first?["fits"] as? String == Self.pebble)
        let misfit = try vitrail.run("adapter", "info", adapter, "--model", "run/final")
        #expect(misfit.code == 1 && misfit.error.contains("fix: "), "\(misfit.error)")

        let written = try json("adapter", "merge", adapter, "--model", Self.pebble, "--output", "new/merged", "--json")
        #expect(written.first?["model"] as? String == "new/merged" && written.first?["merged"] as? [String] == ["lora"])
        let bytes = try #require(written.first?["bytes"] as? Int)
        #expect(bytes > 4 * 853_120, "float32 weights of the decoder at least")
        let data = ["--data", "shapes/val/records.jsonl", "--limit", "4", "--threads", "1", "--json"]
        func loss(_ arguments: [String]) throws -> Double {
            try #require(try objects(vitrail.run(["score"] + arguments + data)).last?["loss"] as? Double)
        }
        let merged = try loss(["new/merged"])
        // Merging rounds each weight once, at float32.
        #expect(try abs(loss([Self.pebble, "--adapter", adapter]) - merged) < 1e-4)
        #expect(try abs(loss([Self.pebble]) - merged) > 1e-3, "the adapter changes something")
        #expect(try vitrail.run("export", "run", "out", "--dtype", "float32").code == 0)
        #expect(try abs(loss(["out"]) - merged) < 1e-4)
        #expect(try vitrail.run("export", "new/merged", "eight", "--quantize", "q8").code == 0)
        // A weight of 8 bits is off by up to half of a 127th of its block's largest.
        #expect(try abs(loss(["eight"]) - merged) < 0.05)

        let form = try json("inspect", "eight", "--json").first?["dtypes"] as? [String]
        #expect(form?.contains("q8") == true && form?.contains("uint8") == false, "\(form ?? [])")
        // The recipe's prompt stays with the adapter and with whatever model is made of it.
        for folder in ["run/final", "new/merged", "out", "eight"] {
            #expect(
                try json("inspect", folder, "--json").first?["caption_prompt"] as? String == "What is there?",
                "\(folder)")
        }
        let call = ["caption", "shapes/val/images", "--max-new-tokens", "8", "--threads", "1", "--json", "--model"]
        func captions(_ arguments: String...) throws -> [String] {
            try objects(vitrail.run(call + arguments)).compactMap { $0["caption"] as? String }
        }
        let own = try captions("out")
        #expect(try own.count == 6 && own == captions("out", "--prompt", "What is there?"))
        #expect(try own != captions("out", "--prompt", "Describe the image concisely."))
        #expect(
            try captions(Self.pebble, "--adapter", adapter)
                == captions(Self.pebble, "--adapter", adapter, "--prompt", "What is there?"))
        let named = try vitrail.run(call + [Self.pebble, "--adapter", "tuned=\(adapter)"])
        #expect(named.code == 1 && named.error.contains("no question chooses one here"), "\(named.error)")

        try vitrail.write(
            #"{"id":"a","image":"shapes/val/images/000000.png","question":"What is it?","adapter":"tuned"}"# + "\n",
            to: "q.jsonl")
        let asked = ["--input", "q.jsonl", "--images", ".", "--max-new-tokens", "6", "--threads", "1", "--json"]
        let switched = try objects(
            vitrail.run(["answer", "--model", Self.pebble, "--adapter", "tuned=\(adapter)"] + asked))
        try vitrail.write(
            #"{"id":"a","image":"shapes/val/images/000000.png","question":"What is it?"}"# + "\n", to: "q.jsonl")
        let plain = try objects(vitrail.run(["answer", "--model", "new/merged"] + asked))
        #expect(switched.first?["prediction"] as? String == plain.first?["prediction"] as? String)
    }

    /// A broken adapter is told of, and the others are listed.
    @Test func brokenAdaptersDoNotHideOthers() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        #expect(try vitrail.run("train", "lora.yaml", "--output", "run", "--threads", "1").code == 0)
        #expect(try vitrail.shell("mkdir -p all/broken && echo '{' > all/broken/adapter_config.json").code == 0)
        #expect(try vitrail.shell("cp -r run/adapters/tune all/good").code == 0)
        let listed = try vitrail.run("adapter", "list", "all", "--json")
        #expect(listed.code == 1 && listed.error.contains("all/broken/adapter_config.json"), "\(listed.error)")
        #expect(listed.lines.count == 1 && listed.lines[0].contains("all/good"), "\(listed.output)")
    }

    @Test func tokenizersAreTrainedAndReadBack() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let made = try vitrail.run(
            "tokenizer", "train", "shapes/train/corpus.txt", "--vocabulary", "300", "--output", "tokens")
        #expect(made.code == 0, "said: \(made.error)")
        let text = "a réd circle, 図"
        let coded = try objects(vitrail.run("tokenizer", "encode", "tokens", text, "--json"))
        let ids = try #require(coded.first?["ids"] as? [Int])
        #expect(ids.count < text.utf8.count && ids.allSatisfy { (0..<300).contains($0) })
        let back = try vitrail.run(["tokenizer", "decode", "tokens"] + ids.map(String.init))
        #expect(back.lines == [text])
        let wrong = try vitrail.run("tokenizer", "decode", "tokens", "300")
        #expect(wrong.code == 1 && wrong.error.contains("fix: "), "\(wrong.error)")
    }

    @Test func labelsGoFromPatternsToConversations() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        try vitrail.write(
            #"{"patterns": {"what": {"text": "What is it?", "verbalizer": {"c": "a circle", "s": "a square"}}}}"#,
            to: "plan.json")
        let pictures = (0..<3).map { "{\"image\":\"shapes/train/images/00000\($0).png\",\"label\":\"c\"}" }
        let known = pictures.filter { vitrail.exists($0.split(separator: "\"").map(String.init)[3]) }
        try vitrail.write(known.joined(separator: "\n") + "\n", to: "pictures.jsonl")
        #expect(!known.isEmpty)
        #expect(try vitrail.run("pet", "lessons", "plan.json", "pictures.jsonl", "--output", "lessons").code == 0)
        #expect(try vitrail.text("lessons/what.jsonl").split(separator: "\n").count == known.count)
        let labelled = try objects(
            vitrail.run(
                "pet", "label", "plan.json", "pictures.jsonl", "--model", Self.pebble, "--output", "soft.jsonl",
                "--threads", "1", "--json"))
        #expect(labelled.first?["pictures"] as? Int == known.count)
        for line in try vitrail.text("soft.jsonl").split(separator: "\n") {
            let soft = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let shares = try #require(soft["probabilities"] as? [String: Double])
            #expect(shares.keys.sorted() == ["c", "s"] && abs(shares.values.reduce(0, +) - 1) < 1e-9)
        }
        for (line, reason) in [
            (#"{"image":"none.png"}"#, "other.jsonl: picture none.png of \"picture-0\" is not there\nfix: "),
            (
                #"{"image":"pictures.jsonl","label":"c"}"#,
                "error: other.jsonl: picture of \"picture-0\": pictures.jsonl is neither"
            ),
            (known[0].replacing(",\"label\":\"c\"", with: ""), "other.jsonl: no picture has a label"),
        ] {
            try vitrail.write(line + "\n", to: "other.jsonl")
            let refused = try vitrail.run("pet", "label", "plan.json", "other.jsonl", "--model", Self.pebble)
            #expect(refused.code == 1 && refused.error.contains(reason), "said: \(refused.error)")
        }
        let made = try vitrail.run(
            "pet", "distil", "plan.json", "soft.jsonl", "--output", "last.jsonl", "--copies", "4")
        #expect(made.code == 0, "said: \(made.error)")
        #expect(try vitrail.text("last.jsonl").split(separator: "\n").count == 4 * known.count)
        // Nothing writes over what it reads.
        #expect(try vitrail.shell("cp pictures.jsonl what.jsonl").code == 0)
        for call in [
            ["pet", "lessons", "plan.json", "what.jsonl"],
            ["pet", "distil", "plan.json", "soft.jsonl", "--output", "soft.jsonl"],
            ["pet", "label", "plan.json", "pictures.jsonl", "--model", Self.pebble, "--output", "plan.json"],
        ] {
            let refused = try vitrail.run(call)
            #expect(refused.code == 1 && refused.error.contains("is what is read"), "said: \(refused.error)")
        }
    }

    /// Every figure is there and above 0.
    @Test(arguments: [
        (["step", "--preset", "tiny", "--batch", "1", "--text", "4", "--steps", "1", "--no-floor"], "step_s"),
        (["step", "--preset", "tiny", "--batch", "1", "--text", "4", "--steps", "1"], "over_floor"),
        (["decode", "--preset", "tiny", "--prompt", "4", "--tokens", "2", "--repeats", "1"], "over_floor"),
        (["decode", "--preset", "tiny", "--tokens", "2", "--repeats", "1"], "sequences_per_second_at_floor"),
        (["tower", "--preset", "tiny", "--batch", "1", "--passes", "1"], "over_floor"),
        (["pictures", "shapes/train/images", "--passes", "1"], "pictures_per_second"),
        (["tokenizer", pebble, "shapes/train/corpus.txt", "--passes", "1"], "tokens_per_second"),
        (["quality", pebble, "--text", "text.txt", "--forms", "q8"], "weight_bytes"),
    ])
    func benchmarksMeasure(arguments: [String], figure: String) throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        try vitrail.write("a red circle\n", to: "text.txt")
        let threads = arguments[0] == "tokenizer" ? [] : ["--threads", "1"]
        let results = try objects(vitrail.run(["bench"] + arguments + threads + ["--json"]))
        #expect(!results.isEmpty)
        for result in results { #expect(try #require(result[figure] as? Double) > 0) }
    }

    @Test func statisticsCountWhatIsThere() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let counts = try #require(
            try objects(vitrail.run("data", "stats", "shapes/train", "--plots", "plots", "--json")).first)
        #expect(counts["records"] as? Int == 12 && counts["pictures"] as? Int == 12)
        #expect(try vitrail.list("plots").contains { $0.hasSuffix(".svg") })
    }

    @Test func theMachineIsDescribed() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let facts = try #require(try objects(vitrail.run("doctor", "--json")).first)
        #expect(try #require(Int(facts["cores"] as? String ?? "")) >= 1)
        #expect(facts["instructions"] != nil && facts["memory"] != nil)
        let plain = try vitrail.shell("VITRAIL_CPU=baseline \"$VITRAIL\" doctor --json")
        #expect((try objects(plain).first?["back end"] as? String)?.hasSuffix(", baseline") == true, "\(plain)")
        let misspelt = try vitrail.shell("VITRAIL_CPU=avx3 \"$VITRAIL\" doctor")
        #expect(misspelt.code == 1 && misspelt.error.contains("VITRAIL_CPU: ") && misspelt.error.contains("\"avx2\""))
    }
}
