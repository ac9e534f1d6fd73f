import Basics
import InstructionData
import TestSupport
import Testing

/// Annotations that cannot be meant so: boxes outside their pictures, and numbers that stand twice.
@Suite struct AnnotationTests {
    private func convert(
        _ kind: String, _ scratch: Scratch, _ input: String, annotations: String? = nil, lenient: Bool = false
    ) throws -> (records: [JSON], report: ConversionReport) {
        var request = ConversionRequest(input: input)
        (request.lenient, request.annotations) = (lenient, annotations)
        var conversion = Conversion(kind: kind, request: request)
        conversion.output = scratch.file("o.jsonl")
        let report = try conversion.run()
        return (try scratch.lines("o.jsonl"), report)
    }

    private func instances(_ boxes: [String], images: String = "") -> String {
        let annotations = boxes.enumerated().map { index, box in
            #"{"id":\#(index + 1),"image_id":7,"category_id":1,"bbox":\#(box)}"#
        }
        return
            #"{"categories":[{"id":1,"name":"cat"}],"images":[{"id":7,"file_name":"7.jpg","width":100,"height":50}\#(images)],"#
            + #""annotations":[\#(annotations.joined(separator: ","))]}"#
    }

    @Test(arguments: [
        ("[150, 10, 20, 20]", "outside"), ("[-20, -20, 30, 30]", "outside"), ("[90, 5, 1e6, 10]", "outside"),
        ("[30, 10, -5, 5]", "no area"), (#"["x", 1, 2, 3, 4]"#, "four numbers"),
        (#"["1", 1, 2, 3]"#, "four numbers"), ("[1, 2, 3]", "four numbers"),
    ]) func senselessBoxesAreFaults(_ box: String, _ reason: String) throws {
        let scratch = try Scratch()
        let path = try scratch.write("i.json", instances(["[10, 10, 20, 20]", box]))
        let fault = problem { _ = try self.convert("coco-instances", scratch, path) }
        #expect(fault?.problem.contains("annotation 2 of image 7: the box") == true, "\(fault?.problem ?? "")")
        #expect(fault?.problem.contains(reason) == true && fault?.fix?.contains("--lenient") == true)
        let (records, report) = try convert("coco-instances", scratch, path, lenient: true)
        #expect(report.leftOut == 1 && records[0]["objects"] == ["cat: [0.100, 0.200, 0.300, 0.600]"])
        // The same box by way of a reference.
        let references = try scratch.write(
            "r.json", #"[{"ref_id":1,"image_id":7,"ann_id":2,"sentences":[{"sent":"it"}]}]"#)
        let referred = problem { _ = try self.convert("refcoco", scratch, references, annotations: path) }
        #expect(referred?.problem.contains("annotation 2 of image 7: the box") == true)
    }

    /// COCO's own files have such a box: its kind is not asked for there, as with crowds.
    @Test(arguments: ["[10, 10, 0, 5]", "[10, 10, 5, 0.0]"]) func linesAreNothingToPointAt(_ box: String) throws {
        let scratch = try Scratch()
        let path = try scratch.write("i.json", instances(["[10, 10, 20, 20]", box]))
        let (records, report) = try convert("coco-instances", scratch, path)
        #expect(report.leftOut == 0 && records[0]["objects"] == ["cat: [0.100, 0.200, 0.300, 0.600]"])
        #expect(!records[0].serialized().contains("Where is each cat"))
    }

    /// Rounding puts boxes a little over the edge, and so do things that stand half out of the picture.
    @Test(arguments: [
        ("[-0.5, 0, 3, 50.4]", "[0.000, 0.000, 0.025, 1.000]"), ("[90, 10, 20, 20]", "[0.900, 0.200, 1.000, 0.600]"),
        ("[98, 48, 3, 3]", "[0.980, 0.960, 1.000, 1.000]"),
    ]) func boxesOverTheEdgeAreCut(_ box: String, _ text: String) throws {
        let scratch = try Scratch()
        let path = try scratch.write("i.json", instances([box]))
        let (records, report) = try convert("coco-instances", scratch, path)
        #expect(report.leftOut == 0 && records[0]["objects"] == [.string("cat: " + text)])
    }

    @Test func picturesOfOneNumberAreFaults() throws {
        let scratch = try Scratch()
        let other = #",{"id":7,"file_name":"8.jpg","width":9,"height":9}"#
        let path = try scratch.write("i.json", instances(["[10, 10, 20, 20]"], images: other))
        let fault = problem { _ = try self.convert("coco-instances", scratch, path) }
        #expect(fault?.problem.contains("two images have the number 7") == true)
        let (records, report) = try convert("coco-instances", scratch, path, lenient: true)
        #expect(report.leftOut == 1 && records.count == 1 && records[0]["id"] == "7")
        let captions = try scratch.write(
            "c.json",
            #"{"images":[{"id":7,"file_name":"7.jpg"},{"id":7,"file_name":"8.jpg"}],"annotations":[{"image_id":7,"caption":"c"}]}"#
        )
        #expect(
            problem { _ = try self.convert("coco-captions", scratch, captions) }?.problem.contains("number 7") == true)
        #expect(try convert("coco-captions", scratch, captions, lenient: true).records[0]["id"] == "7-0")
    }

    /// One blank phrase among a picture's regions, one question without an answer: the others stay.
    @Test func regionsAreLeftOutByThemselves() throws {
        let scratch = try Scratch()
        let sizes = try scratch.write(
            "s.json", #"[{"image_id":1,"url":"https://x/VG_100K/1.jpg","width":100,"height":100}]"#)
        let regions = (0..<4).map { index in
            #"{"region_id":\#(index),"x":1,"y":1,"width":9,"height":\#(index == 2 ? 0 : 9),"phrase":"\#(index == 1 ? " " : "p")"}"#
        }
        let path = try scratch.write("r.json", #"[{"id":1,"regions":[\#(regions.joined(separator: ","))]}]"#)
        let fault = problem { _ = try self.convert("visual-genome", scratch, path, annotations: sizes) }
        #expect(fault?.problem.contains("picture 1: \"phrase\"") == true)
        let (_, report) = try convert("visual-genome", scratch, path, annotations: sizes, lenient: true)
        #expect(report.records == 1 && report.exchanges == 2 && report.leftOut == 2)
        let asked = try scratch.write(
            "q.json", #"[{"id":1,"qas":[{"question":"a?","answer":""},{"question":"b?","answer":"yes"}]}]"#)
        let questions = try convert("visual-genome", scratch, asked, lenient: true).report
        #expect(questions.exchanges == 1 && questions.leftOut == 1)
    }

    @Test func questionsOfOneNumberAreFaults() throws {
        let scratch = try Scratch()
        func answer(_ word: String) -> String { #"{"question_id":5,"answers":[{"answer":"\#(word)"}]}"# }
        let question = #"{"question_id":5,"image_id":1,"question":"q"}"#
        let once = try scratch.write("q.json", #"{"questions":[\#(question)]}"#)
        let twice = try scratch.write("q2.json", #"{"questions":[\#(question),\#(question)]}"#)
        let one = try scratch.write("a.json", #"{"annotations":[\#(answer("x"))]}"#)
        let two = try scratch.write("a2.json", #"{"annotations":[\#(answer("x")),\#(answer("y"))]}"#)
        for (questions, answers, words) in [
            (twice, one, "two questions have the number 5"), (once, two, "question 5 has two annotations"),
        ] {
            let fault = problem { _ = try self.convert("vqav2", scratch, questions, annotations: answers) }
            #expect(fault?.problem.contains(words) == true)
            let (records, report) = try convert("vqav2", scratch, questions, annotations: answers, lenient: true)
            #expect(report.exchanges == 1 && report.leftOut == 1)
            #expect(records[0]["conversations"]?[1]?["value"] == "x")
        }
    }

    /// Whole numbers beyond 64 bits keep their digits in ids, cells and members; a byte order mark is no part of a name.
    @Test func numbersKeepTheirDigits() throws {
        let scratch = try Scratch()
        let number = "12345678901234567890123"
        let record =
            #"{"id":\#(number),"n":\#(number),"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#
        let (records, _) = try convert("llava", scratch, try scratch.write("l.jsonl", record))
        #expect(records[0]["id"] == .string(number) && records[0]["n"] == .digits(number))
        var conversion = Conversion(
            kind: "jsonl",
            request: ConversionRequest(input: try scratch.write("t.jsonl", #"{"q":"q","a":\#(number)}"#)))
        (conversion.request.columns.question, conversion.request.columns.answer) = ("q", "a")
        conversion.output = scratch.file("t.out.jsonl")
        _ = try conversion.run()
        #expect(try scratch.lines("t.out.jsonl")[0]["conversations"]?[1]?["value"] == .string(number))
        let token = try scratch.write("f.token", "\u{FEFF}1.jpg#0\tA cat.\n1.jpg#1\tA dog.\n")
        #expect(try convert("flickr30k", scratch, token).records.map { $0["id"]?.string } == ["1-0", "1-1"])
    }

    /// Many writers of TSV know no quotes; where they do, tabs and line ends may stand between them.
    @Test func quotesInTSV() throws {
        let scratch = try Scratch()
        let rows = ["q\ta", "\"He said\" hi\tz", "\"open\tx", "\"a\tb\nc \"\"d\"\"\"\ty"]
        var conversion = Conversion(
            kind: "tsv", request: ConversionRequest(input: try scratch.write("t.tsv", rows.joined(separator: "\n"))))
        (conversion.request.columns.question, conversion.request.columns.answer) = ("q", "a")
        conversion.output = scratch.file("o.jsonl")
        _ = try conversion.run()
        #expect(
            try scratch.lines("o.jsonl").map { $0["conversations"]?[0]?["value"]?.string } == [
                "\"He said\" hi", "\"open", "a\tb\nc \"d\"",
            ])
    }
}
