import Basics
import InstructionData
import TestSupport
import Testing
import Tokenization

/// Each converter against a tiny sample in its published form, written for these tests.
@Suite struct ConverterTests {
    private func convert(
        _ kind: String, _ input: String, in scratch: Scratch, _ configure: (inout Conversion) -> Void = { _ in }
    ) throws -> (records: [JSON], evaluation: [JSON], report: ConversionReport) {
        var conversion = Conversion(kind: kind, request: ConversionRequest(input: input))
        conversion.output = scratch.file("out/train.jsonl")
        conversion.evaluation = scratch.file("out/eval.jsonl")
        configure(&conversion)
        let report = try conversion.run()
        func lines(_ path: String?) throws -> [JSON] {
            guard let path else { return [] }
            return try Files.readText(path).split(separator: "\n").map { try JSON.parse(String($0), source: path) }
        }
        return (try lines(conversion.output), try lines(conversion.evaluation), report)
    }

    /// What the output says, read back through the data set's own reader.
    private func readBack(_ scratch: Scratch) throws -> [InstructionRecord] {
        let dataset = try InstructionDataset(scratch.file("out/train.jsonl"))
        return try (0..<dataset.count).map { try dataset.record(at: $0) }
    }

    private func writeEasyVQA(_ scratch: Scratch) throws {
        try scratch.write(
            "easy/data/train/questions.json",
            """
            [["what color is it?", "red", 1], ["is it a circle?", "no", 1],
             ["what is it?", "box", 0], ["is it blue?", "yes", 1]]
            """)
        try scratch.write("easy/data/train/images/0.png", [0])
        try scratch.write("easy/data/train/images/1.png", [1, 1])
    }

    @Test func easyVQAGroupsByPicture() throws {
        let scratch = try Scratch()
        try writeEasyVQA(scratch)
        let (records, evaluation, report) = try convert("easy-vqa", scratch.file("easy"), in: scratch)
        #expect(report.records == 2 && report.exchanges == 4)
        #expect(
            records[0].serialized()
                == #"{"id":"train-picture-1","image":"train-images/data/train/images/1.png","conversations":"#
                + #"[{"from":"human","value":"<image>\nwhat color is it?"},{"from":"gpt","value":"red"},"#
                + #"{"from":"human","value":"is it a circle?"},{"from":"gpt","value":"no"},"#
                + #"{"from":"human","value":"is it blue?"},{"from":"gpt","value":"yes"}]}"#)
        #expect(evaluation.count == 4)
        #expect(
            evaluation[2].serialized()
                == #"{"id":"train-3","image":"train-images/data/train/images/1.png","question":"is it blue?","answers":["yes"]}"#
        )
        // The link makes the pictures readable from the output's folder.
        let read = try readBack(scratch)
        #expect(try ImageStore().withBytes(of: read[0].images[0]) { Array($0) } == [1, 1])
    }

    @Test func easyVQAFromAnArchiveRefersToItsMembers() throws {
        let scratch = try Scratch()
        try writeEasyVQA(scratch)
        try shell("tar cf ../easy.tar data", in: scratch.file("easy"))
        let (records, _, _) = try convert("easy-vqa", scratch.file("easy.tar"), in: scratch) {
            $0.request.oneQuestion = true
        }
        #expect(records.count == 4)
        #expect(records[3]["image"] == "train-images.tar#data/train/images/1.png")
        #expect(try ImageStore().withBytes(of: try readBack(scratch)[2].images[0]) { Array($0) } == [0])
    }

    @Test func copiedPicturesStandBesideTheOutput() throws {
        let scratch = try Scratch()
        try writeEasyVQA(scratch)
        _ = try convert("easy-vqa", scratch.file("easy"), in: scratch) { $0.copiesImages = true }
        try Files.remove(scratch.file("easy"))
        #expect(try ImageStore().withBytes(of: try readBack(scratch)[0].images[0]) { Array($0) } == [1, 1])
    }

    @Test func aConversionThatFailsLeavesNoCopies() throws {
        let scratch = try Scratch()
        try writeEasyVQA(scratch)
        try Files.remove(scratch.file("easy/data/train/images/0.png"))
        try scratch.write("out/train-images/mine.png", "x")
        let fault = problem {
            _ = try self.convert("easy-vqa", scratch.file("easy"), in: scratch) { $0.copiesImages = true }
        }
        #expect(fault?.fix != nil)
        #expect(try Files.list(scratch.file("out")) == ["train-images"])
        #expect(try Files.list(scratch.file("out/train-images")) == ["mine.png"])
    }

    @Test func imageFolderAnswersWithTheClass() throws {
        let scratch = try Scratch()
        for name in ["cat/2.png", "cat/1.JPG", "fire_truck/a/b.jpeg", "cat/note.txt", ".hidden/x.png"] {
            try scratch.write("out/pictures/" + name, [1])
        }
        let (records, evaluation, _) = try convert("image-folder", scratch.file("out/pictures"), in: scratch) {
            $0.request.questionSuffix = "Answer with one word."
        }
        #expect(
            records.compactMap { $0["image"]?.string } == [
                "pictures/cat/1.JPG", "pictures/cat/2.png", "pictures/fire_truck/a/b.jpeg",
            ])
        #expect(evaluation[2]["answers"] == ["fire truck"])
        #expect(records[0]["conversations"]?[0]?["value"] == "<image>\nWhat is in the picture?\nAnswer with one word.")
        let fault = problem {
            _ = try self.convert("image-folder", scratch.file("out"), in: scratch) { $0.request.split = "train" }
        }
        #expect(fault?.fix == "--split with one of pictures")
    }

    /// A choice that a converter would pass over is refused, and so is a folder of pictures that is none.
    @Test func choicesOfOtherConvertersAreRefused() throws {
        let scratch = try Scratch()
        let path = try scratch.write("t.csv", "q,a\n1,2\n")
        func said(_ configure: (inout ConversionRequest) -> Void) -> String {
            problem {
                _ = try convert("csv", path, in: scratch) { conversion in
                    conversion.request.columns.question = "q"
                    conversion.request.columns.answer = "a"
                    configure(&conversion.request)
                }
            }?.description ?? ""
        }
        #expect(said { _ in }.isEmpty)
        #expect(
            said { $0.split = "train" }.contains("table has no use for --split\nfix: leave that out; of use to image-f")
        )
        #expect(said { $0.annotations = path }.contains("no use for --annotations"))
        #expect(said { $0.imagePattern = "{id}" }.contains("no use for --image-pattern"))
        #expect(said { $0.images = scratch.file("none") }.contains("no such folder"))
        #expect(said { $0.images = path }.contains("that is no folder"))
    }

    /// Spreadsheets write semicolons where the comma is a decimal point, and two bytes a character where asked for Unicode.
    @Test func tablesOfSpreadsheets() throws {
        let scratch = try Scratch()
        let path = try scratch.write("t.csv", "\u{FEFF}question;answer\r\n\"how; many, then?\";2,5\r\n")
        let (records, _, _) = try convert("csv", path, in: scratch) {
            $0.request.columns.question = "question"
            $0.request.columns.answer = "answer"
        }
        #expect(records[0]["conversations"]?[0]?["value"] == "how; many, then?")
        #expect(records[0]["conversations"]?[1]?["value"] == "2,5")
        let wide = try scratch.write("w.csv", [0xFF, 0xFE] + "q,a\n1,2\n".utf8.flatMap { [$0, 0] })
        let error = #expect(throws: UserError.self) { try convert("csv", wide, in: scratch) }
        #expect(error?.fix?.contains("iconv -f UTF-16 ") == true, "\(String(describing: error))")
    }

    @Test func csvFollowsRFC4180() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "t.csv",
            "\u{FEFF}picture,question,answer\r\na.png,\"Who said \"\"hi\"\",\nand why?\",Ann\r\na.png,Where?,\"here, there\"\r\n\r\nb.png,5\" disk?,no"
        )
        let (records, evaluation, report) = try convert("csv", path, in: scratch) {
            $0.request.columns.image = "picture"
            $0.request.columns.question = "question"
            $0.request.columns.answer = "answer"
        }
        #expect(report.records == 2 && report.exchanges == 3)
        #expect(records[0]["conversations"]?[0]?["value"] == "<image>\nWho said \"hi\",\nand why?")
        #expect(records[0]["conversations"]?[3]?["value"] == "here, there")
        #expect(evaluation[2]["question"] == "5\" disk?")
        #expect(evaluation.compactMap { $0["id"]?.string } == ["2", "4", "6"])
    }

    @Test func tsvAndTextOnly() throws {
        let scratch = try Scratch()
        let path = try scratch.write("t.tsv", "q\ta\nx, y?\t1\nz?\t2\n")
        let (records, _, _) = try convert("tsv", path, in: scratch) {
            $0.request.columns.question = "q"
            $0.request.columns.answer = "a"
        }
        #expect(records.count == 2 && records[0]["image"] == nil)
        #expect(records[1]["conversations"]?[0]?["value"] == "z?")
    }

    @Test func jsonLinesTakeListsOfAnswers() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "t.jsonl",
            #"{"img": "a.png", "q": "n?", "a": ["two", "2", "2"], "k": 9}"# + "\n"
                + #"{"img": "b.png", "q": "m?", "a": 3.5, "k": "x"}"# + "\n")
        let (records, evaluation, _) = try convert("jsonl", path, in: scratch) {
            $0.request.columns.image = "img"
            $0.request.columns.question = "q"
            $0.request.columns.answer = "a"
            $0.request.columns.id = "k"
        }
        #expect(records[0]["conversations"]?[1]?["value"] == "2")
        #expect(evaluation[0]["answers"] == ["two", "2", "2"] && evaluation[0]["id"] == "9")
        #expect(evaluation[1]["answers"] == ["3.5"])
    }

    @Test func missingColumnListsThoseThatAreThere() throws {
        let scratch = try Scratch()
        let path = try scratch.write("t.csv", "image,question,answer\na,b,c\n")
        let error = #expect(throws: UserError.self) {
            try convert("csv", path, in: scratch) {
                $0.request.columns.answer = "anwser"
                $0.request.columns.question = "question"
            }
        }
        #expect(error?.problem == "\(path) has no column \"anwser\" (did you mean \"answer\"?)")
        #expect(error?.fix == "its columns: image, question, answer; name one with --answer-column")
        #expect(!Files.exists(scratch.file("out/train.jsonl")))
        #expect(try Files.list(scratch.file("out")).isEmpty)
    }

    @Test func cocoCaptionsTrainOnEachAndEvaluateOnAll() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "captions.json",
            """
            {"info": {"x": "}]"}, "annotations": [{"image_id": 9, "id": 1, "caption": "A dog. "},
             {"image_id": 4, "id": 2, "caption": "A cat."}, {"image_id": 9, "id": 3, "caption": "Dogs."}],
             "images": [{"id": 9, "file_name": "z9.jpg"}, {"id": 4, "file_name": "z4.jpg"}, {"id": 5, "file_name": "n.jpg"}]}
            """)
        let (records, evaluation, _) = try convert("coco-captions", path, in: scratch)
        #expect(records.compactMap { $0["conversations"]?[1]?["value"]?.string } == ["A dog.", "Dogs.", "A cat."])
        #expect(evaluation.count == 2)
        #expect(evaluation[0]["answers"] == ["A dog.", "Dogs."] && evaluation[0]["id"] == "z9")
    }

    @Test func vqav2TakesTheMostFrequentAnswer() throws {
        let scratch = try Scratch()
        let questions = try scratch.write(
            "q.json",
            """
            {"data_subtype": "val2014", "questions": [
             {"image_id": 42, "question": "How many?", "question_id": 42000},
             {"image_id": 42, "question": "What?", "question_id": 42001},
             {"image_id": 7, "question": "Is it?", "question_id": 7000}]}
            """)
        func answers(_ words: [String]) -> String {
            "[" + words.enumerated().map { #"{"answer_id": \#($0 + 1), "answer": "\#($1)"}"# }.joined(separator: ",")
                + "]"
        }
        let annotations = try scratch.write(
            "a.json",
            """
            {"annotations": [{"question_id": 42001, "answers": \(answers(["b", "a", "a", "b"]))},
             {"question_id": 7000, "answers": \(answers(["yes"]))},
             {"question_id": 42000, "answers": \(answers(["1", "2", "2"]))}]}
            """)
        let (records, evaluation, _) = try convert("vqav2", questions, in: scratch) {
            $0.request.annotations = annotations
        }
        #expect(records.count == 2)
        #expect(records[0]["image"] == "train-images/COCO_val2014_000000000042.jpg")
        #expect(records[0]["conversations"]?[1]?["value"] == "2" && records[0]["conversations"]?[3]?["value"] == "b")
        #expect(evaluation[0]["answers"] == ["1", "2", "2"] && evaluation[0]["id"] == "42000")
    }

    @Test func llavaIsCheckedAndRepaired() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "in.json",
            """
            [{"id": "a", "image": "a.png", "extra": 1, "conversations": [
              {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}, {"from": "human", "value": "left"}]},
             {"id": "b"},
             {"id": "c", "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}]
            """)
        let error = #expect(throws: RecordError.self) { try convert("llava", path, in: scratch) }
        #expect(error?.line == 1)
        let (records, _, report) = try convert("llava", path, in: scratch) { $0.request.lenient = true }
        #expect(report.records == 2 && report.leftOut == 1)
        #expect(report.repairs == [Repair.droppedTrailingQuestion.rawValue: 1])
        #expect(records[0]["extra"] == 1 && records[0]["conversations"]?[0]?["value"] == "<image>\nQ")
        #expect(records[1]["conversations"]?[0]?["from"] == "system")
        let notes = try Files.readText(scratch.file("out/train.repairs.jsonl")).split(separator: "\n")
        #expect(notes.count == 2 && notes[1].contains("\"left out\"") && notes[1].contains("\"line\":3"))
        // Converting the converted changes nothing but the link's name.
        let again = try convert("llava", scratch.file("out/train.jsonl"), in: scratch) {
            $0.output = scratch.file("out/again.jsonl")
        }
        #expect(again.records == records)
    }

    @Test func checkLooksAtEveryPictureAndWritesNothing() throws {
        let scratch = try Scratch()
        try writeEasyVQA(scratch)
        func check(lenient: Bool) throws -> ConversionReport {
            try convert("easy-vqa", scratch.file("easy"), in: scratch) {
                $0.output = nil
                $0.evaluation = nil
                $0.request.lenient = lenient
                $0.checkPicture = { bytes, name in
                    if bytes.count > 1 { throw UserError("\(name) is broken", fix: "draw it again") }
                }
            }.report
        }
        let error = #expect(throws: RecordError.self) { try check(lenient: false) }
        #expect(error?.problem.contains("images/1.png is broken") == true && error?.fix == "draw it again")
        #expect(try check(lenient: true).leftOut == 1)
        #expect(!Files.exists(scratch.file("out")))
    }

    /// A part counts what it holds, and may hold nothing where there are more parts than records; a source without records is a fault.
    @Test func partsMayBeEmpty() throws {
        let scratch = try Scratch()
        let record = #"{"id":"a","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#
        let sources = [
            ("tsv", try scratch.write("t.tsv", "q\ta\nq1\ta1\nq2\ta2")),
            ("llava", try scratch.write("l.jsonl", record + "\n" + record)),
        ]
        for (kind, path) in sources {
            for index in 0..<3 {
                let (records, _, report) = try convert(kind, path, in: scratch) {
                    if kind == "tsv" { ($0.request.columns.question, $0.request.columns.answer) = ("q", "a") }
                    $0.shard = try? Conversion.Shard("\(index + 1)/3")
                }
                #expect(records.count == (index < 2 ? 1 : 0) && report.records == records.count, "\(kind) \(index)")
            }
        }
        let empty = try scratch.write("e.tsv", "q\ta")
        #expect(throws: UserError.self) {
            try convert("tsv", empty, in: scratch) {
                ($0.request.columns.question, $0.request.columns.answer) = ("q", "a")
                $0.shard = try? Conversion.Shard("1/3")
            }
        }
    }

    @Test func shardsTogetherAreTheWhole() throws {
        let scratch = try Scratch()
        let rows = (0..<23).map { "q\($0)\ta\($0)" }.joined(separator: "\n")
        let path = try scratch.write("t.tsv", "q\ta\n" + rows)
        func run(_ shard: String?) throws -> [JSON] {
            try convert("tsv", path, in: scratch) {
                $0.request.columns.question = "q"
                $0.request.columns.answer = "a"
                $0.shard = shard.flatMap { try? Conversion.Shard($0) }
            }.records
        }
        let whole = try run(nil)
        let parts = try (1...4).map { try run("\($0)/4") }
        #expect(parts.map(\.count).reduce(0, +) == 23)
        for (index, record) in whole.enumerated() { #expect(parts[index % 4][index / 4] == record) }
        for text in ["0/4", "5/4", "1", "a/b", "1/0", "1/2/3"] {
            #expect(throws: UserError.self) { try Conversion.Shard(text) }
        }
    }

    @Test(
        arguments: [
            ("llava", "a.json", "nonsense"), ("llava", "a.json", "[{}]"), ("csv", "a.csv", ""),
            ("csv", "a.csv", "q,a\n\"open,1\n"), ("csv", "a.csv", "q,a\n1\n"), ("csv", "a.csv", "q,a\n1,2,3\n"),
            ("csv", "a.csv", "q,q\n1,2\n"), ("csv", "a.csv", "q,a\n\"x\"y,2\n"), ("csv", "a.csv", "q,a\n1,\n"),
            ("csv", "a.csv", "q,a\n ,2\n"), ("csv", "a.xls", "q,a\n1,2\n"), ("csv", "a.csv", "q,a\n"),
            ("jsonl", "a.jsonl", ""), ("jsonl", "a.jsonl", "[1]"), ("jsonl", "a.jsonl", "{\"q\": 1, \"a\": 2}\n{]"),
            ("jsonl", "a.jsonl", "{\"q\": 1, \"a\": 2}\n{\"q\": 1}"), ("jsonl", "a.jsonl", "{\"q\": {}, \"a\": 2}"),
            ("coco-captions", "a.json", "[]"), ("coco-captions", "a.json", "{}"),
            ("coco-captions", "a.json", "{\"images\": 3}"),
            ("coco-captions", "a.json", "{\"images\": [], \"images\": []}"),
            ("coco-captions", "a.json", "{\"images\": [{}]"),
            ("coco-captions", "a.json", "{\"images\": [{\"id\": 1}], \"annotations\": []}"),
            ("coco-captions", "a.json", "{\"images\": [], \"annotations\": [{\"image_id\": 1, \"caption\": \"x\"}]}"),
            ("coco-captions", "a.json", "{\"images\": [{\"id\": 1, \"file_name\": \"../a\"}], \"annotations\": []}"),
            ("coco-captions", "a.json", "{\"images\": [], \"annotations\": [{\"bbox\": []}]}"),
            ("coco-captions", "a.json", "{\"images\": [], \"annotations\": []}"),
            ("coco-captions", "a.json", "{\"images\" []}"),
            ("vqav2", "a.json", "{\"questions\": []}"), ("vqav2", "a.json", "{\"questions\": [{}]}"),
            ("vqav2", "a.json", "{\"questions\": [{\"question_id\": 8, \"image_id\": 1, \"question\": \"q\"}]}"),
            ("vqav2", "a.json", "{\"questions\": [{\"question_id\": 5, \"image_id\": 1, \"question\": \"q\"}]}"),
            ("vqav2", "a.json", "{}"), ("easy-vqa", "a.json", "x"),
            ("easy-vqa", "data/train/questions.json", "[[1, 2]]"),
            ("easy-vqa", "data/train/questions.json", "[[\"q\", \"a\", 5]]"),
            ("easy-vqa", "data/test/questions.json", "[]"),
            ("easy-vqa", "data/train/questions.json", "[[\"q\", \"a\", -1]]"),
            ("easy-vqa", "data/train/questions.json", "[]"),
            ("image-folder", "p/a.txt", "x"), ("image-folder", "p/a.png", "x"), ("unknown", "a", "x"),
            ("webdataset", "a.tar", ""), ("webdataset", "a.tar", "no archive"), ("webdataset", "a.txt", "x"),
            ("webdataset", "a.tar.gz", "no gzip"), ("webdataset", "a-*.tar", "x"),
            ("webdataset", "b.tar", "000001.json\0"),
        ])
    func malformedSourceIsAnErrorWithAFixAndNothingIsWritten(kind: String, name: String, text: String) throws {
        let scratch = try Scratch()
        try scratch.write("in/" + name, text)
        let annotations = try scratch.write("ann.json", "{\"annotations\": [{\"question_id\": 5, \"answers\": []}]}")
        let input = ["easy-vqa", "image-folder"].contains(kind) && name != "a.json" ? "in" : "in/" + name
        let thrown = problem {
            _ = try convert(kind, scratch.file(kind == "image-folder" ? "in/p" : input), in: scratch) {
                $0.request.columns.question = "q"
                $0.request.columns.answer = "a"
                $0.request.annotations = annotations
            }
        }
        #expect(thrown?.problem.isEmpty == false)
        #expect(thrown?.fix?.isEmpty == false, "\(thrown?.problem ?? "no error")")
        #expect(!Files.exists(scratch.file("out/train.jsonl")))
        if Files.exists(scratch.file("out")) { #expect(try Files.list(scratch.file("out")).isEmpty) }
    }
}
