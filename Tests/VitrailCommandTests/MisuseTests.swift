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

    /// Answers are added to files of answers only.
    @Test(arguments: ["my notes", "{\"a\": 1}", "{\"id\": \"a\", \"conversations\": []}\n"])
    func answersGoToNoOtherFile(text: String) throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        try vitrail.write(text, to: "other.jsonl")
        let calls = [
            ["caption", "--model", Self.pebble, "shapes/test/images", "--output", "other.jsonl"],
            [
                "data", "generate", "self-chat", "--model", Self.pebble, "-o", "out.jsonl", "--journal", "other.jsonl",
                "--prompts", VitrailProcess.repository.path + "/Datasets/prompts",
            ],
        ]
        for call in calls {
            let result = try vitrail.run(call)
            #expect(result.code == 1 && result.error.contains("other.jsonl"), "\(result.error)")
            #expect(try vitrail.text("other.jsonl") == text)
        }
    }

    private static let refused: [(call: [String], code: Int32, words: String)] = [
        (["evaluate", pebble, "--data", "q.jsonl"], 1, "q.jsonl: the question 0 has no \"answers\""),
        (["evaluate", pebble, "--data", "torn.jsonl"], 1, "torn.jsonl:1:13: "),
        (["answer", "--model", pebble, "--input", "torn.jsonl"], 1, "torn.jsonl:1:13: "),
        // A picture that is no text would be a question about nothing.
        (["answer", "--model", pebble, "--input", "number.jsonl"], 1, "number.jsonl:1: \"image\" is no text"),
        (["answer", "--model", pebble, "--input", "q.jsonl", "--image", "a.png"], 2, "--image goes with --question"),
        (["answer", "--model", pebble, "--question", "x", "--images", "a"], 2, "--images goes with --input"),
        (["caption", "--model", pebble, "a.png", "--images", "a"], 2, "--images goes with --input"),
        (["evaluate", "--predictions", "p.jsonl", "--limit", "2"], 2, "--limit goes with a model"),
        (["data", "generate", "self-chat", "--model", pebble, "-o", "out"], 1, "fix: name it with --prompts"),
        (["data", "generate", "self-chat", "--model", pebble, "-o", "out", "--images", "."], 2, "goes with --data"),
        (
            ["data", "generate", "self-chat", "--model", pebble, "-o", "out", "--data", "q.jsonl"], 1,
            "self-chat has no use for --data"
        ),
        (["data", "generate", "llava", "--model", pebble, "-o", "out", "--kinds", ","], 1, "--kinds names no kind"),
        (
            ["data", "generate", "self-chat", "--model", pebble, "-o", "out", "--journal", "./out"], 1,
            "./out would be written twice, once as out"
        ),
        (
            ["data", "generate", "self-chat", "--model", pebble, "-o", "q.jsonl", "--seeds", "q.jsonl"], 1,
            "q.jsonl is what is read, and would be written over"
        ),
        (["convert", "llava", "q.jsonl", "-o", "out", "--evaluation", "out"], 1, "out would be written twice"),
        (["data", "template", "q.jsonl", "--templates", "model"], 1, "or pass --list"),
        (["answer", "--model", pebble, "--question", "x", "--output", ""], 1, "fix: the path is empty"),
        (["data", "shard", "q.jsonl", "-o", ""], 2, "--output needs a prefix"),
        (["answer", "--model", pebble, "--input", "nameless.jsonl"], 1, "nameless.jsonl:1: a picture's path is empty"),
        (["answer", "--model", pebble, "--question", "x", "--adapter", "a=adapter"], 1, "no question chooses one"),
        (["answer", "--model", "adapter", "--question", "x"], 1, "adapter: an adapter, and no model"),
        (["answer", "--model", "none", "--question", "x"], 1, "none: no such folder"),
        (["answer", "--model", "who/model", "--question", "x"], 1, "hf download who/model --local-dir models/model"),
        (["answer", "--model", "model/none", "--question", "x"], 1, "folder where vitrail is called\n"),
        (["convert", "okvqa", "q.jsonl", "-o", "out"], 1, "error: the answers are in a second file"),
        (["tokenizer", "encode", "none", "x"], 1, "none: no such folder"),
        (["answer", "--model", "q.jsonl", "--question", "x"], 1, "q.jsonl: that is no folder"),
        (["convert", "llava", "q.jsonl", "--only", "x", "-o", "out"], 2, "--only goes with --templates"),
        (["train", "r.yaml", "--output", "."], 1, "something else is there already"),
        (["inspect", "\u{1B}[31mred.png"], 1, #"\u{1B}[31mred.png"#),
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
        (["data", "stats", "q.jsonl", "--images", "none"], 1, "--images none: no such folder"),
        (["convert", "llava", "q.jsonl", "--images", "none", "-o", "out"], 1, "--images none: no such folder"),
        (
            ["convert", "llava", "q.jsonl", "--images", "q.jsonl", "-o", "out"], 1,
            "--images q.jsonl: that is no folder"
        ),
        (["data", "mix", "q.jsonl", "--images", "q.jsonl", "-o", "out"], 1, "--images q.jsonl: that is no folder"),
        (["answer", "--model", pebble, "--input", "q.jsonl", "--images", "q.jsonl"], 1, "that is no folder"),
        (["caption", "--model", pebble, "--input", "q.jsonl", "--images", "q.jsonl"], 1, "that is no folder"),
        (["evaluate", pebble, "--data", "q.jsonl", "--images", "q.jsonl"], 1, "that is no folder"),
        (["bench", "quality", pebble, "--records", "q.jsonl", "--images", "none"], 1, "--images none: no such folder"),
        (["caption", "--model", pebble, "a.png", "--top-k", "5"], 2, "--top-k goes with --temperature"),
        (["caption", "--model", pebble, "a.png", "--seed", "0"], 2, "--seed goes with --temperature"),
        (["caption", "--model", pebble, "a.png", "--stop", ""], 2, "--stop is empty"),
        (["answer", "--model", pebble, "--image", "model", "--question", "x"], 1, "model holds many pictures"),
        (["answer", "--model", pebble, "--image", "texts.tar", "--question", "x"], 1, "texts.tar holds many pictures"),
        (["caption", "--model", pebble, "texts.tar"], 1, "texts.tar: no PNG or JPEG files in this archive"),
        (["caption", "--model", pebble, "-"], 1, "fix: write /dev/stdin"),
        (["train", "picture.png"], 1, "picture.png:1: byte 0x89 at offset 0 is not UTF-8 text\nfix: name a text file"),
        (["estimate", "r.yaml", "--stage", "aa"], 1, "no stage \"aa\"\nfix: write \"a\""),
        (
            ["inspect", "r.yaml"], 1,
            "r.yaml: nothing that can be inspected: it looks like text\nfix: name a model folder"
        ),
        (["score", pebble, "--text", "r.yaml", "--template", "plain"], 2, "go with --data."),
        (["estimate", "r.yaml", "--part", "vision"], 2, "--part goes with --methods"),
        (["bench", "growth", "--along", ""], 2, "--along names nothing"),
        (["bench", "quality", pebble, "--text", "r.yaml", "--images", "."], 2, "--images goes with --questions"),
        (["bench", "quality", pebble, "--questions", "q.jsonl", "--metric", "exact,vqa"], 2, "takes one name"),
        (["synthesize", "out", "--split", "test=2", "--count", "9"], 2, "--count and --split both say"),
        (["synthesize", "out", "--split", "test=2", "--corpus-lines", "9"], 1, "goes with the split train"),
        (["synthesize", "out", "--split", "test=2,test=3"], 1, "--split names test twice"),
        (["data", "filter", "q.jsonl", "--scripts", ","], 1, "no script is named"),
        (
            ["tokenizer", "train", "r.yaml", "--special", "<s>,<s>", "--output", "out"], 2,
            "--special names <s> twice"
        ),
        (["answer", "--model", pebble, "--question", "<image>"], 1, "1 <image> marker for 0 pictures"),
        (["caption", "--model", pebble, ""], 1, "a picture's path is empty"),
        (["caption", "--model", pebble, "a.png", "--adapter", ""], 2, "--adapter is empty"),
        (["synthesize", ""], 1, "fix: the path is empty"),
        (["export", pebble, ""], 1, "fix: the path is empty"),
        (["tokenizer", "train", "r.yaml", "--output", ""], 1, "fix: the path is empty"),
        (["answer", "--model", pebble, "--question", " "], 2, "--question has no words"),
        (["caption", "--model", pebble, "a.png", "--prompt", ""], 2, "--prompt has no words"),
        (
            ["caption", "--model", pebble, "a.png", "--prompt", "<image><image>?"], 2,
            "--prompt has several <image> markers"
        ),
        (["answer", "--model", pebble, "--input", "mute.jsonl"], 1, "mute.jsonl:1: the question has no words"),
        (["answer", "--model", pebble, "--input", "/dev/zero"], 1, "fix: that is a device or a pipe; name a file"),
        (["data", "filter", "q.jsonl", "--max-exchanges", "-1"], 2, "--max-exchanges -1 is out of range"),
        (["data", "filter", "q.jsonl", "--answer-words", "1.5"], 1, "--answer-words 1.5 is no range"),
        (["data", "filter", "q.jsonl", "--against-pictures", "3"], 2, "go with --against."),
        (["data", "validate", "q.jsonl", "--show", "-1"], 2, "--show -1 is out of range"),
        (["tokenizer", "train", "q.jsonl", "--output", "model"], 1, "model holds a model"),
        (["bench", "step", "--part", "vision"], 2, "--part goes with --method"),
        (["bench", "quality", pebble, "--text", "latin1.txt", "--forms", ","], 2, "--forms names no form"),
        (["export", pebble, "out", "--tower", "clip"], 1, "takes no tower from clip"),
        (["export", pebble, "out", "--shard-size", "nan"], 2, "--shard-size nan is no size"),
        (
            ["train", "r.yaml", "--set", "stages.a.learning_rate=-1"], 1,
            "stages[0].learning_rate: -1.0 is out of range"
        ),
    ]

    /// A copy is what was asked for, so the exit code stays 0; but that nobody named a rule is said.
    @Test func aFilterWithoutRulesSaysSo() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let bare = try vitrail.run("data", "filter", "shapes/test/records.jsonl", "--output", "same.jsonl")
        #expect(bare.code == 0 && bare.error.contains("No rule is given"), "\(bare.error)")
        let ruled = try vitrail.run("data", "filter", "shapes/test/records.jsonl", "--leaks")
        #expect(ruled.code == 0 && !ruled.error.contains("No rule"), "\(ruled.error)")
    }

    /// What a model answered in vain can be looked at.
    @Test func answersOfNoUseAreFound() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try vitrail.run(
            "data", "generate", "self-chat", "--model", Self.pebble, "-o", "talk.jsonl", "--count", "1", "--threads",
            "1",
            "--prompts", VitrailProcess.repository.path + "/Datasets/prompts")
        #expect(result.code == 1 && result.error.contains("talk.journal.jsonl for what"), "\(result.error)")
    }

    /// Threads that load weights all find that there is no memory: one of them says so.
    @Test func aLimitOfMemoryIsToldOnce() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        for _ in 0..<4 {
            let result = try vitrail.run(
                "answer", "--model", Self.pebble, "--question", "What?", "--memory-limit", "0.001", "--threads", "4")
            #expect(result.code == 1)
            #expect(result.error.components(separatedBy: "error: out of memory").count == 2, "\(result.error)")
        }
    }

    @Test(arguments: refused)
    func whatCannotBeIsTold(call: [String], code: Int32, words: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write("{\"question\":\"What?\"}\n", to: "q.jsonl")
        try vitrail.write("{\"question\":\n", to: "torn.jsonl")
        try vitrail.write("{\"image\":5,\"question\":\"What?\"}\n", to: "number.jsonl")
        try vitrail.write("{\"question\":\"\"}\n", to: "mute.jsonl")
        try vitrail.write("{\"image\":\"\",\"question\":\"What?\"}\n", to: "nameless.jsonl")
        #expect(try vitrail.shell("mkdir model && echo '{}' > model/config.json").code == 0)
        #expect(try vitrail.shell("mkdir adapter && echo '{}' > adapter/adapter_config.json").code == 0)
        #expect(
            try vitrail.shell("tar cf texts.tar q.jsonl && printf '\\211PNG\\r\\n\\032\\n\\0\\0' > picture.png").code
                == 0)
        let stage = "{name: a, train: [language], data: [d], learning_rate: 1}"
        try vitrail.write("model: \(Self.pebble)\nstages: [\(stage)]\n", to: "r.yaml")
        #expect(try vitrail.shell("printf 'a\\ncaf\\351\\n' > latin1.txt").code == 0)
        let result = try vitrail.run(call)
        #expect(result.code == code && result.error.contains(words), "\(result.error)")
        #expect(result.output.isEmpty, "\(result.output)")
        #expect(try vitrail.list(".").filter { $0.hasPrefix("runs") || $0 == "out" }.isEmpty)
    }
}
