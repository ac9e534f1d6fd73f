import Foundation
import Testing

/// Standard streams that are full or closed, and places that are no files.
struct StreamTests {
    private let model = VitrailProcess.repository.appendingPathComponent("Models/pebble").path

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
    func resultsThatAreLostAreAnError() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=8").code == 0)
        for sink in [">/dev/full", ">&-"] {
            let result = try vitrail.shell("\"$VITRAIL\" data stats shapes/train \(sink)")
            #expect(result.code == 1 && result.error.contains("error: cannot write standard output"), "\(sink)")
        }
        // Nobody who listens any more is no error.
        let listed = try vitrail.shell(
            "\"$VITRAIL\" data validate shapes/train 2>errors | head -c 1 >/dev/null; cat errors")
        #expect(listed.output.isEmpty)
    }

    /// `tee` ends at Ctrl-C too, and a run must still save what it has.
    @Test func aLogWithoutReaderEndsNothing() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=8").code == 0)
        let mix = "\"$VITRAIL\" data mix shapes/train --output mix.jsonl"
        let late = { (command: String) in
            "rm -f gone; { until [ -e gone ]; do sleep 0.02; done; \(command); echo $? >code; } | { exec <&-; : >gone; }; cat code"
        }
        let logged = try vitrail.shell(late("\(mix) 2>&1"))
        #expect(logged.output == "0\n" && vitrail.exists("mix.jsonl"))
        let results = try vitrail.shell(late("\"$VITRAIL\" inspect '\(model)'"))
        #expect(results.output == "141\n")
    }

    @Test func temporaryFoldersMayLieElsewhere() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "test=2").code == 0)
        let result = try vitrail.shell(
            "TMPDIR=$PWD/none \"$VITRAIL\" evaluate '\(model)' --data shapes/test/questions.jsonl --metrics exact")
        #expect(result.code == 1 && result.error.contains("export TMPDIR="), "\(result.error)")
    }

    /// A terminal shows both streams: results begin where the moving line was, not behind it.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/script")))
    func resultsTakeThePlaceOfTheMovingLine() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=8").code == 0)
        try vitrail.write(
            """
            model: \(VitrailProcess.repository.path)/Models/pebble
            stages: [{name: a, train: [projector], data: [shapes/train], learning_rate: 1.0e-3, batch_size: 2}]
            """, to: "r.yaml")
        let shown = try vitrail.shell(
            "TERM=xterm NO_COLOR=1 script -qec '\"$VITRAIL\" estimate r.yaml --steps 1' /dev/null")
        #expect(shown.output.contains("measuring recipe\r\u{1B}[Kmethod"), "\(shown.output)")
    }

    /// Data cannot move a terminal's cursor or name its window; a pipe gets it as it is.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/script")))
    func terminalsAreShownNoControlCharacters() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let answer = #"\u001b]0;mine\u0007 \u001b[8m\u009b2J"#
        try vitrail.write(
            #"{"id":"a","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"\#(answer)"}]}"# + "\n",
            to: "a.jsonl")
        let shown = try vitrail.shell(
            "NO_COLOR= TERM=xterm script -qec '\"$VITRAIL\" data stats a.jsonl' /dev/null")
        #expect(shown.output.contains(#"\u{1B}]0;mine\u{7} \u{1B}[8m\u{9B}2J"#), "\(shown.output)")
        #expect(shown.output.contains("\u{1B}[1m"), "its own colours stay")
        let piped = try vitrail.shell("\"$VITRAIL\" data stats a.jsonl | cat")
        #expect(piped.output.contains("\u{1B}]0;mine\u{7}") && !piped.output.contains("\u{1B}[1m"))
    }

    /// The limit stands for a full disk: files that go together appear together or not at all.
    @Test func folderOfFilesThatDoNotFitIsLeftAsItWas() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write((0..<400).map { "the \($0) of \($0 * 7)\n" }.joined(), to: "corpus.txt")
        let train = "\"$VITRAIL\" tokenizer train corpus.txt --output tokenizer"
        let full = try vitrail.shell("ulimit -f 4; \(train)")
        #expect(full.code == 1 && full.error.contains("tokenizer.json: File too large\nfix: "), "\(full)")
        #expect(!vitrail.exists("tokenizer"))
        #expect(try vitrail.shell(train).code == 0)
        let before = try vitrail.bytes("tokenizer/tokenizer_config.json")
        #expect(try vitrail.shell("ulimit -f 4; \(train) --special '<s>'").code == 1)
        #expect(try vitrail.list("tokenizer") == ["tokenizer.json", "tokenizer_config.json"])
        #expect(try vitrail.bytes("tokenizer/tokenizer_config.json") == before)
    }

    /// Of data and the list beside it, too; and what lies beside a mixture.
    @Test func dataThatDoesNotFitLeavesNothingBeside() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let record = #"{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"# + "\n"
        try vitrail.write(String(repeating: record, count: 400), to: "d.jsonl")
        for call in ["filter d.jsonl --max-exchanges 3", "mix d.jsonl"] {
            let full = try vitrail.shell("ulimit -f 4; \"$VITRAIL\" data \(call) --output o.jsonl")
            #expect(full.code == 1 && full.error.contains("File too large\nfix: "), "\(full)")
            #expect(try vitrail.list(".") == ["d.jsonl"])
        }
    }

    /// A standard stream is no file to replace: a redirected one would be another file than the shell's.
    @Test(arguments: ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
    func dataFilesAreNotStreams(_ stream: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let record = #"{"image":"1.png","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#
        try vitrail.write(record, to: "d.jsonl")
        for call in [
            "convert llava d.jsonl", "data mix d.jsonl", "data filter d.jsonl --leaks", "data dedupe d.jsonl",
        ] {
            let result = try vitrail.shell("echo before >log; \"$VITRAIL\" \(call) --output \(stream) >>log; cat log")
            #expect(result.output == "before\n" && result.error.contains("fix: name a file"), "\(call): \(result)")
            #expect(try vitrail.list(".") == ["d.jsonl", "log"])
        }
    }

    @Test func messagesDoNotGoIntoDataFiles() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=8").code == 0)
        try vitrail.write("no picture", to: "broken.png")
        for closed in ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"] {
            _ = try vitrail.shell(
                "\"$VITRAIL\" caption --model '\(model)' --output c.jsonl broken.png shapes/train/images/000001.png \(closed)"
            )
            let lines = try vitrail.text("c.jsonl").split(separator: "\n")
            #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("{\"id\"") }, "\(closed): \(lines)")
            try FileManager.default.removeItem(atPath: vitrail.path("c.jsonl"))
        }
    }

    @Test func pipesAreNotReplacedByFiles() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=8").code == 0)
        let result = try vitrail.shell(
            "mkfifo pipe; \"$VITRAIL\" data filter shapes/train -o pipe 2>errors; test -p pipe && cat errors")
        #expect(result.output.contains("fix: that is a device or a pipe; name a file"))
    }

    /// Answers are read again to go on after them, and a pipe's reader would be the writer.
    @Test(.timeLimit(.minutes(20))) func answersIntoAPipeAreAnError() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "train=8").code == 0)
        let result = try vitrail.shell(
            "\"$VITRAIL\" caption --model '\(model)' --output /dev/stdout shapes/train/images/000001.png 2>errors | cat; cat errors"
        )
        #expect(result.output.contains("fix: name a file"))
    }

    @Test func whatCannotBeReadLeavesNothing() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write("<html>\n<html>\n", to: "page.jsonl")
        try vitrail.write("\n", to: "empty.txt")
        let prompts = VitrailProcess.repository.appendingPathComponent("Datasets/prompts").path
        for arguments in [
            ["data", "filter", "page.jsonl", "-o", "out/x.jsonl"],
            ["data", "dedupe", "page.jsonl", "-o", "out/x.jsonl"],
            ["data", "stats", "page.jsonl"], ["data", "preview", "page.jsonl", "-o", "out/x.html"],
            ["caption", "--model", model, "--input", "empty.txt"],
            [
                "data", "generate", "self-chat", "--seeds", "empty.txt", "--prompts", prompts, "--model", model, "-o",
                "out/x.jsonl",
            ],
        ] {
            let result = try vitrail.run(arguments)
            #expect(
                result.code == 1 && result.error.contains("error: ") && result.error.contains("fix: "), "\(arguments)")
            #expect(try !vitrail.exists("out") || vitrail.list("out").isEmpty, "\(arguments)")
        }
    }
}
