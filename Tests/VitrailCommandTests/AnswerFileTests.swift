import Foundation
import Testing

/// Files of answers, with which later calls go on.
struct AnswerFileTests {
    private static let pebble = VitrailProcess.repository.appendingPathComponent("Models/pebble").path
    private static let short = ["--max-new-tokens", "3", "--threads", "1"]

    private func prepare() throws -> VitrailProcess {
        let vitrail = try VitrailProcess()
        #expect(try vitrail.run("synthesize", "shapes", "--split", "test=6").code == 0)
        return vitrail
    }

    /// What must differ for a call to refuse the file of another, and what may.
    @Test func onlyTheSameCallGoesOn() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        func caption(_ model: String, _ arguments: String...) throws -> VitrailProcess.Result {
            try vitrail.run(
                ["caption", "shapes/test/images", "--model", model, "--output", "c.jsonl"] + Self.short + arguments)
        }
        #expect(try caption(Self.pebble).code == 0)
        let whole = try vitrail.text("c.jsonl")
        let lines = whole.split(separator: "\n")
        #expect(lines.count == 6 && lines.allSatisfy { $0.contains("\"made_by\":\"") })
        #expect(try vitrail.run("export", Self.pebble, "other", "--dtype", "bfloat16").code == 0)
        #expect(try vitrail.shell("cp -r '\(Self.pebble)' copy").code == 0)

        for (model, arguments, reason) in [
            (Self.pebble, ["--prompt", "What is there?"], "for another question, prompt or picture"),
            ("other", [], "by another model"), (Self.pebble, ["--temperature", "0.5"], "with other settings"),
            (Self.pebble, ["--quantize", "q8"], "with other settings"),
        ] {
            let refused = try vitrail.run(
                ["caption", "shapes/test/images", "--model", model, "--output", "c.jsonl"] + Self.short + arguments)
            #expect(refused.code == 1 && refused.error.contains("c.jsonl:1: "), "\(refused.error)")
            #expect(refused.error.contains(reason) && refused.error.contains("fix: "), "\(refused.error)")
            #expect(try vitrail.text("c.jsonl") == whole)
        }
        // A model is told by its weights; batches change no answer.
        try vitrail.write(lines.prefix(4).joined(separator: "\n") + "\n", to: "c.jsonl")
        let again = try caption("copy", "--batch", "2", "--prompt", "Describe the image concisely.")
        #expect(again.code == 0 && again.error.contains("4 there already"), "\(again.error)")
        #expect(try vitrail.text("c.jsonl") == whole)
    }

    /// After a broken picture is there again, or is asked about no more, the file goes on.
    @Test func aBrokenPictureIsNoDeadEnd() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let lines = ["shapes/test/images/000001.png", "none.png"].map {
            #"{"image":"\#($0)","question":"What color?","answers":["red"]}"# + "\n"
        }
        try vitrail.write(lines.joined(), to: "questions.jsonl")
        let call = ["evaluate", Self.pebble, "--data", "questions.jsonl", "--output", "p.jsonl"] + Self.short
        #expect(try vitrail.run(call).code == 1)
        #expect(try vitrail.shell("cp shapes/test/images/000002.png none.png").code == 0)
        let again = try vitrail.run(call)
        #expect(
            again.code == 1 && again.error.contains("lines of p.jsonl with an \"error\" have to be deleted"),
            "said: \(again.error)")
        let fewer = try vitrail.run(call + ["--limit", "1"])
        #expect(fewer.code == 0, "said: \(fewer.error)")
        #expect(try vitrail.shell("grep -v '\"error\"' p.jsonl > q && mv q p.jsonl").code == 0)
        #expect(try vitrail.run(call).code == 0)
    }

    /// Pictures are exchanged among questions with as many; where there is nothing to exchange, no score says otherwise.
    @Test func picturesAreExchangedAmongLikes() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let picture = ["0", "1", "2"].map { "\"shapes/test/images/00000\($0).png\"" }
        let own = [1, 2].map { #"{"image":\#(picture[$0]),"question":"<image> What color?","answers":["red"]}"# }
        let two =
            #"{"images":[\#(picture[0]),\#(picture[1])],"question":"<image> or <image>?","answers":["red"]}"#
        let none = #"{"question":"What color is grass?","answers":["green"]}"#
        for (lines, code) in [(own + [two, none], 0), ([own[0], two, none], 1), ([own[0], own[0]], 1)] {
            try vitrail.write(lines.map { $0 + "\n" }.joined(), to: "questions.jsonl")
            let result = try vitrail.run(
                ["evaluate", Self.pebble, "--data", "questions.jsonl", "--shuffle-images", "1"] + Self.short)
            #expect(result.code == Int32(code), "said: \(result.error)")
            #expect(code == 0 || result.error.contains("none can be exchanged"), "said: \(result.error)")
        }
    }

    /// An archive's members are told by the bytes of their names, each once, and archives may come from a pattern.
    @Test func membersAreThoseOfTheFolder() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let made = try vitrail.shell(
            #"""
            mkdir n && cp shapes/test/images/000000.png "n/$(printf 'caf\303\251.png')"
            cp shapes/test/images/000001.png "n/$(printf 'cafe\314\201.png')"
            cp shapes/test/images/000002.png n/a.png
            tar cf n.tar n && tar rf n.tar n/a.png && ls n | wc -l
            """#)
        #expect(made.output.trimmingCharacters(in: .whitespacesAndNewlines) == "3", "said: \(made.error)")
        let call = ["caption", "--model", Self.pebble, "--json"] + Self.short
        func captions(_ pictures: String) throws -> [String] {
            let result = try vitrail.run(call + [pictures])
            return try result.output.split(separator: "\n").map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                return try #require(object?["caption"] as? String)
            }
        }
        let files = try captions("n")
        #expect(files.count == 3 && Set(files).count > 1, "\(files)")
        #expect(try captions("n*.tar") == files)
    }

    /// A picture under a misspelt key is not passed over; all pictures of a question stand in its line, and `inspect` names each file.
    @Test func picturesAreNamed() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let names = (0..<2).map { "shapes/test/images/00000\($0).png" }
        for key in ["Image", "img", "imagse", "picture"] {
            try vitrail.write("{\"\(key)\":\"\(names[0])\",\"question\":\"What color?\"}\n", to: "q.jsonl")
            let result = try vitrail.run(["answer", "--model", Self.pebble, "--input", "q.jsonl"] + Self.short)
            #expect(result.code == 1 && result.error.contains("q.jsonl:1: \"\(key)\" is no key"), "\(result.error)")
        }
        try vitrail.write(
            #"{"images":["\#(names[0])","\#(names[1])"],"question":"<image> or <image>?","about":"x"}"# + "\n",
            to: "q.jsonl")
        let both = try vitrail.run(["answer", "--model", Self.pebble, "--input", "q.jsonl", "--json"] + Self.short)
        let line = try JSONSerialization.jsonObject(with: Data(both.output.utf8)) as? [String: Any]
        #expect(line?["images"] as? [String] == names, "said: \(both.output) \(both.error)")
        for line in try vitrail.run(["inspect", names[0], names[1], Self.pebble, "--json"]).output.split(
            separator: "\n")
        {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["path"] is String && object?["kind"] is String, "\(line)")
        }
    }

    /// What is inflated has no name, so that nothing of it stays when the program is killed.
    @Test func inflatedArchivesHaveNoName() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let result = try vitrail.shell(
            """
            head -c 400000000 /dev/zero > pad.bin
            cp shapes/test/images/000001.png a.png
            tar cf - pad.bin a.png | gzip -1 > a.tar.gz
            rm pad.bin
            mkdir scratch
            TMPDIR=$PWD/scratch "$VITRAIL" caption --model '\(Self.pebble)' --max-new-tokens 2 --threads 1 a.tar.gz & child=$!
            seen=0
            while kill -0 $child 2> /dev/null; do
                [ "$(ls scratch)" ] && seen=$((seen + 1))
            done
            wait $child
            echo "code $? seen $((seen > 2))"
            """)
        #expect(result.output.hasSuffix("code 0 seen 0\n"), "said: \(result.output) \(result.error)")
    }

    /// A slip in one question costs its answer, whichever way the batches go.
    @Test(arguments: [["--batch", "1", "--threads", "2"], ["--memory-limit", "1"]])
    func questionsThatCannotBeAskedFailByThemselves(way: [String]) throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let picture = "\"image\":\"shapes/test/images/000001.png\""
        let long = (0..<1_100).map { "what \($0) " }.joined()
        try vitrail.write(
            """
            {"id":"a",\(picture),"question":"What color?"}
            {"id":"b",\(picture),"question":"<image><image> What?"}
            {"id":"c",\(picture),"question":"\(long)"}
            {"id":"d","question":"<image>?"}
            {"id":"e","question":"What color?"}

            """, to: "q.jsonl")
        let result = try vitrail.run(
            ["answer", "--model", Self.pebble, "--input", "q.jsonl", "--output", "a.jsonl", "--max-new-tokens", "3"]
                + way)
        #expect(result.code == 1)
        #expect(result.error.contains("error: question b: the text has 2 <image> markers for 1 picture\nfix: "))
        #expect(result.error.contains(/question c: the prompt has [0-9,]+ tokens, and the model was made for 1,024;/))
        let failed = try vitrail.text("a.jsonl").split(separator: "\n").map { $0.contains("\"error\"") }
        #expect(failed == [false, true, false, true, false])
    }

    /// Batches that threads answer side by side, in parts and in groups, beside one after the other on all threads; a memory limit asks
    /// for that.
    @Test(arguments: [["--precision", "bfloat16"], ["--quantize", "q8"]])
    func sideBySideIsAsInTurn(form: [String]) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        #expect(try vitrail.run("synthesize", "shapes", "--split", "test=97").code == 0)
        // Pictures that cannot be read leave parts of other sizes.
        #expect(
            try vitrail.shell("for i in 3 4 5 6 20 77; do echo x > $(ls shapes/test/images/* | sed -n ${i}p); done")
                .code
                == 0)
        func file(_ name: String, _ arguments: [String]) throws -> String {
            let result = try vitrail.run(
                ["caption", "shapes/test/images", "--model", Self.pebble, "--output", name, "--max-new-tokens", "6"]
                    + form + arguments)
            #expect(result.code == 1 && result.error.contains("6 failed"), "\(result.error)")
            return try vitrail.text(name)
        }
        let inTurn = try file("turn.jsonl", ["--threads", "2", "--memory-limit", "8"])
        #expect(inTurn.split(separator: "\n").count == 97)
        #expect(try file("two.jsonl", ["--threads", "2"]) == inTurn)
        #expect(try file("four.jsonl", ["--threads", "4", "--batch", "8"]) == inTurn)
    }

    /// Files of versions that did not say what made a line.
    @Test func unmarkedLinesStay() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let call =
            ["caption", "shapes/test/images", "--model", Self.pebble, "--output", "c.jsonl"] + Self.short
        #expect(try vitrail.run(call).code == 0)
        let unmarked = try vitrail.text("c.jsonl").replacing(#/,"made_by":"[0-9a-f.]+"/#, with: "")
        #expect(!unmarked.contains("made_by"))
        try vitrail.write(unmarked, to: "c.jsonl")
        let again = try vitrail.run(call + ["--prompt", "What is there?"])
        #expect(again.code == 0 && again.error.contains("6 lines without a word of what made them"), "\(again.error)")
        #expect(try vitrail.text("c.jsonl") == unmarked)
        // A text that is none of these files is not written to.
        try vitrail.write("notes\n", to: "c.jsonl")
        let refused = try vitrail.run(call)
        #expect(refused.code == 1 && refused.error.contains("c.jsonl:1 is no answer"), "\(refused.error)")
        #expect(try vitrail.text("c.jsonl") == "notes\n")
    }

    /// Questions have ids by their place where they bring none: another file has the same ones.
    @Test func otherQuestionsUnderTheSameIds() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        func write(_ questions: [String]) throws {
            try vitrail.write(questions.map { "{\"question\":\"\($0)\"}\n" }.joined(), to: "q.jsonl")
        }
        let call = ["answer", "--model", Self.pebble, "--input", "q.jsonl", "--output", "a.jsonl"] + Self.short
        try write(["What is red?", "What is blue?"])
        #expect(try vitrail.run(call).code == 0)
        try write(["What is red?", "What is blue?", "What is green?"])
        #expect(try vitrail.run(call).code == 0)
        #expect(try vitrail.text("a.jsonl").split(separator: "\n").count == 3)
        try write(["What is red?", "What is large?", "What is green?"])
        let refused = try vitrail.run(call)
        #expect(refused.code == 1 && refused.error.contains("a.jsonl:2: "), "\(refused.error)")
    }

    /// Several questions of one id are several questions, also for a call that goes on.
    @Test func equalIdsAreCounted() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let questions = ["What is red?", "What is blue?", "What is green?"]
        try vitrail.write(questions.map { "{\"id\":\"7\",\"question\":\"\($0)\"}\n" }.joined(), to: "q.jsonl")
        let call = ["answer", "--model", Self.pebble, "--input", "q.jsonl", "--output", "a.jsonl"] + Self.short
        #expect(try vitrail.run(call).code == 0)
        let lines = try vitrail.text("a.jsonl").split(separator: "\n")
        #expect(lines.count == 3)
        try vitrail.write(lines.prefix(2).joined(separator: "\n") + "\n", to: "a.jsonl")
        let again = try vitrail.run(call)
        #expect(again.code == 0 && again.error.contains("2 there already"), "\(again.error)")
        #expect(try vitrail.text("a.jsonl").split(separator: "\n") == lines)
    }

    /// Exchanged pictures are other questions; right answers are those that the questions have now.
    @Test func evaluationGoesOnWithItsOwnAnswers() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let call =
            ["evaluate", Self.pebble, "--data", "shapes/test/describe.jsonl", "--output", "p.jsonl", "--json"]
            + Self.short
        #expect(try vitrail.run(call).code == 0)
        let exchanged = try vitrail.run(call + ["--shuffle-images", "1"])
        #expect(exchanged.code == 1 && exchanged.error.contains("for another question"), "\(exchanged.error)")
        let said = try vitrail.text("p.jsonl").split(separator: "\n").map { line in
            try #require(
                (try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["prediction"] as? String)
        }
        let questions = try vitrail.text("shapes/test/describe.jsonl").split(separator: "\n").map(String.init)
        let right = try zip(questions, said).map { line, answer in
            let answers = try String(decoding: JSONSerialization.data(withJSONObject: [answer]), as: UTF8.self)
            return line.replacing(#/"answers":\[.*?\]/#, with: "\"answers\":\(answers)") + "\n"
        }
        try vitrail.write(right.joined(), to: "shapes/test/describe.jsonl")
        let measured = try vitrail.run(call)
        #expect(measured.code == 0 && measured.output.contains("\"score\":1"), "\(measured.output)\(measured.error)")
    }

    /// Nobody waits for a pipe that lies among pictures.
    @Test(.timeLimit(.minutes(20))) func pipesAmongPicturesAreLeftOut() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        #expect(
            try vitrail.shell("mkfifo shapes/test/images/pipe.png && ln -s nowhere shapes/test/images/x.png").code == 0)
        let folder = try vitrail.run(["caption", "shapes/test/images", "--model", Self.pebble, "--json"] + Self.short)
        #expect(folder.code == 1 && folder.lines.count { !$0.contains("\"error\"") } == 6, "\(folder.error)")
        #expect(folder.error.contains("pipe.png is a pipe") && folder.error.contains("x.png"), "\(folder.error)")
        #expect(try vitrail.shell("ls shapes/test/images/* > list.txt").code == 0)
        let listed = try vitrail.run(
            ["caption", "--input", "list.txt", "--model", Self.pebble, "--json"] + Self.short)
        #expect(listed.code == 1 && listed.error.contains("pipe.png is a pipe"), "\(listed.error)")
    }

    /// A picture that arrives through a pipe, and a list from an editor that ends lines with two bytes.
    @Test func picturesByPipeAndByList() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let rest = "--model '\(Self.pebble)' --json \(Self.short.joined(separator: " "))"
        let piped = try vitrail.shell(
            "cat shapes/test/images/$(ls shapes/test/images | head -n 1) | \"$VITRAIL\" caption /dev/stdin \(rest)")
        #expect(piped.code == 0 && piped.lines.count == 1, "\(piped.error)")
        #expect(try vitrail.shell("ls shapes/test/images/* | sed 's/$/\\r/' > list.txt").code == 0)
        let listed = try vitrail.shell("\"$VITRAIL\" caption --input list.txt \(rest)")
        #expect(listed.code == 0 && listed.lines.count == 6, "\(listed.error)")
    }

    /// A list that comes through a pipe names its pictures from the working folder; null characters are no ends of lines.
    @Test func listsByPipe() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let rest = "--model '\(Self.pebble)' --json \(Self.short.joined(separator: " "))"
        #expect(try vitrail.shell("ls shapes/test/images/* > shapes/list.txt").code == 0)
        for list in ["cat shapes/list.txt |", "< shapes/list.txt"] {
            let listed = try vitrail.shell("\(list) \"$VITRAIL\" caption --input /dev/stdin \(rest)")
            #expect(listed.code == 0 && listed.lines.count == 6, "\(listed.error)")
        }
        let asked = try vitrail.shell(
            "cat shapes/test/questions.jsonl | \"$VITRAIL\" answer --images shapes/test --input /dev/stdin \(rest)")
        #expect(asked.code == 0 && !asked.lines.isEmpty, "\(asked.error)")
        let zeros = try vitrail.shell(
            "find shapes/test/images -type f -print0 | \"$VITRAIL\" caption --input /dev/stdin \(rest)")
        #expect(zeros.code == 1 && zeros.error.contains("write one path a line"), "\(zeros.error)")
        let dash = try vitrail.shell("ls shapes/test/images/* | \"$VITRAIL\" caption --input - \(rest)")
        #expect(dash.code == 1 && dash.error.contains("write /dev/stdin"), "\(dash.error)")
    }

    /// A folder that may not be listed is told of, and the pictures of the others captioned.
    @Test func foldersThatMayNotBeListedAreLeftOut() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let made = try vitrail.shell(
            "cd shapes/test/images && mkdir closed names && cp *.png names && chmod 000 closed && chmod 444 names")
        #expect(made.code == 0)
        // The superuser may list all folders, unless it gives that up.
        let bound = "setpriv --bounding-set=-dac_override,-dac_read_search"
        let call = "$([ \"$(id -u)\" = 0 ] && echo '\(bound)') \"$VITRAIL\""
        let rest = "--model '\(Self.pebble)' --json \(Self.short.joined(separator: " "))"
        for folder in ["shapes/test/images", "'shapes/test/images/*'"] {
            let result = try vitrail.shell("\(call) caption \(folder) \(rest)")
            #expect(result.code == 1 && result.lines.count == 6, "\(result.error)")
            #expect(
                result.error.contains("cannot list the folder shapes/test/images/closed: Permission denied")
                    || result.error.contains("cannot look into the folder shapes/test/images/closed"),
                "\(result.error)")
            #expect(result.error.contains("look into the folder shapes/test/images/names"), "\(result.error)")
        }
        let strict = try vitrail.shell("\(call) convert image-folder shapes/test --output out.jsonl")
        #expect(strict.code == 1 && strict.error.contains("may not be listed"), "\(strict.error)")
        let lenient = try vitrail.shell("\(call) convert image-folder shapes/test --output out.jsonl --lenient")
        #expect(lenient.code == 0, "\(lenient.error)")
        #expect(try vitrail.text("out.repairs.jsonl").contains("images/closed"))
        #expect(try vitrail.shell("chmod 755 shapes/test/images/*/").code == 0)
    }

    /// Names that are not UTF-8 have no text to call them by: they are told of, and the others captioned.
    @Test func oddNamesAreLeftOut() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        // Some file systems take no such names.
        let made = try vitrail.shell(
            "cd shapes/test/images && cp \"$(ls | head -n 1)\" \"$(printf 'caf\\351.png')\" && : > \"$(printf 'n\\351.txt')\""
        )
        guard made.code == 0 else { return }
        let folder = try vitrail.run(["caption", "shapes/test/images", "--model", Self.pebble, "--json"] + Self.short)
        #expect(folder.code == 1 && folder.lines.count == 6, "\(folder.error)")
        #expect(folder.error.contains(#"shapes/test/images/caf\xE9.png: the name"#), "\(folder.error)")
        #expect(!folder.error.contains(".txt"))
        for pattern in ["'shapes/test/images/*'", "shapes/test/images/*.png shapes/test/images/*.jpg"] {
            let named = try vitrail.shell(
                "\"$VITRAIL\" caption \(pattern) --model '\(Self.pebble)' --json --max-new-tokens 1")
            #expect(named.code == 1 && named.error.contains("is not UTF-8"), "\(named.error)")
        }
        #expect(try vitrail.shell("mkdir -p c/a && cp shapes/test/images/* c/a").code == 0)
        let strict = try vitrail.run("convert", "image-folder", "c", "--output", "out.jsonl")
        #expect(strict.code == 1 && strict.error.contains(#"c/a/caf\xE9.png"#) && strict.error.contains("--lenient"))
        let lenient = try vitrail.run("convert", "image-folder", "c", "--output", "out.jsonl", "--lenient")
        #expect(lenient.code == 0, "\(lenient.error)")
        #expect(try vitrail.text("out.jsonl").split(separator: "\n").count == 6)
    }
}
