import Basics
import Imaging
import InstructionData
import TestSupport
import Testing

/// Filters and deduplication on small sets whose faults are known.
@Suite struct CleaningTests {
    private func record(
        _ id: String, image: String? = nil, system: String? = nil, _ turns: [(String, String)]
    ) -> String {
        var object: JSONObject = ["id": .string(id)]
        if let image { object["image"] = .string(image) }
        object["conversations"] = .array(
            (system.map { [["from": "system", "value": .string($0)]] } ?? [])
                + turns.flatMap { question, answer -> [JSON] in
                    [
                        ["from": "human", "value": .string(question)], ["from": "gpt", "value": .string(answer)],
                    ]
                })
        return JSON.object(object).serialized()
    }

    private func lines(_ path: String) throws -> [JSON] {
        try Files.readText(path).split(separator: "\n").map { try JSON.parse(String($0), source: path) }
    }

    private func picture(_ side: Int, _ seed: UInt64, shift: Int = 0) throws -> [UInt8] {
        var generator = RandomGenerator(seed: seed)
        var image = RGBImage(width: side, height: side, filledWith: (200, 180, 160))
        for _ in 0..<6 {
            let (x, y) = (generator.below(side), generator.below(side))
            let width = 4 + generator.below(side / 2)
            let colour = (UInt8(generator.below(200)), UInt8(generator.below(200)), UInt8(generator.below(200)))
            for row in y..<min(side, y + width) {
                for column in x..<min(side, x + width) {
                    image[column, row] = (colour.0 &+ UInt8(shift), colour.1 &+ UInt8(shift), colour.2 &+ UInt8(shift))
                }
            }
        }
        return try image.encodedPNG()
    }

    private func filter(
        _ records: [String], in scratch: Scratch, _ configure: (inout CleaningRules) throws -> Void
    ) throws -> (kept: [JSON], removed: [JSON], report: CleaningReport) {
        let dataset = try InstructionDataset(try scratch.write("in.jsonl", records.joined(separator: "\n")))
        var rules = CleaningRules()
        try configure(&rules)
        let report = try DatasetFilter(rules).run(dataset, to: scratch.file("clean.jsonl"), workers: 3)
        return (try lines(scratch.file("clean.jsonl")), try lines(scratch.file("clean.removed.jsonl")), report)
    }

    /// By no name and no way: a set that is cleaned onto itself would lose what was taken out.
    @Test(arguments: ["filter", "removed", "dedupe", "mix", "convert"])
    func nothingIsWrittenOverWhatIsRead(way: String) throws {
        let scratch = try Scratch()
        let text = (0..<4).map { record("\($0)", [("Same?", "Yes.")]) + "\n" }.joined()
        let path = try scratch.write(way == "removed" ? "in.removed.jsonl" : "in.jsonl", text)
        let output = Paths.join(Paths.parent(path), ".", "in.jsonl")
        let error = #expect(throws: UserError.self) {
            switch way {
            case "dedupe": _ = try DatasetDeduplication().run(InstructionDataset(path), to: output, workers: 1)
            case "mix": _ = try DatasetMixing([.init(path: path)], rule: .weights, seed: 1).run(to: output)
            case "convert":
                var conversion = Conversion(kind: "llava", request: ConversionRequest(input: path))
                conversion.output = output
                _ = try conversion.run()
            default: _ = try DatasetFilter(CleaningRules()).run(InstructionDataset(path), to: output, workers: 1)
            }
        }
        #expect(error?.problem.contains("what is read") == true)
        #expect(try Files.readText(path) == text)
    }

    @Test func textRulesTakeOutExchangesAndSayWhy() throws {
        let scratch = try Scratch()
        let loop = Array(repeating: "the cat sat down", count: 5).joined(separator: " ")
        let records = [
            record("good", image: "a.png", [("<image>\nWhat is it?", "A cat."), ("Why?", "It purrs.")]),
            record("refuses", image: "a.png", [("<image>\nWho?", "I’m sorry, but I can't say."), ("What?", "A cat.")]),
            record("loops", [("Tell me.", loop)]),
            record("leaks", [("Is the answer a big red house? Say it.", "A big red house.")]),
            record("blocked", [("What is it?", "It is a Foo  bar, I think.")]),
            record("russian", [("Что это?", "Это кошка и собака.")]),
            record("long", [("One two three four five six seven eight nine ten eleven?", "Yes.")]),
        ]
        let (kept, removed, report) = try filter(records, in: scratch) {
            $0.refusals = CleaningRules.commonRefusals
            $0.maximumRepeats = 3
            $0.forbidsLeaks = true
            $0.blocked = ["foo bar"]
            $0.scripts = [.latin]
            $0.questionWords = 1...10
        }
        #expect(kept.compactMap { $0["id"]?.string } == ["good", "refuses"])
        // The marker of the question that went stands before the next one.
        #expect(kept[1]["conversations"]?[0]?["value"] == "<image>\nWhat?")
        #expect(
            removed.map { "\($0["id"]?.string ?? ""):\($0["line"]?.int ?? 0) \($0["rule"]?.string ?? "")" } == [
                "refuses:2 refusal", "loops:3 repeats", "leaks:4 leak", "blocked:5 blocked", "russian:6 script",
                "long:7 length",
            ])
        #expect(removed[0]["exchange"] == 0 && removed[0]["reason"] == "the answer begins with \"i'm sorry\"")
        #expect(report.records == 7 && report.kept == 2 && report.exchanges == 1 && report.gone == 5)
    }

    @Test func pictureRulesTakeOutRecords() throws {
        let scratch = try Scratch()
        try scratch.write("good.png", picture(40, 1))
        try scratch.write("small.png", picture(16, 2))
        try scratch.write("broken.png", Array(try picture(40, 3).dropLast(40)))
        try scratch.write("text.png", "no picture")
        let records = ["good", "small", "broken", "text", "missing"].map {
            record($0, image: "\($0).png", [("What?", "That.")])
        }
        let (kept, removed, report) = try filter(records + ["{", record("none", [("a", "b")])], in: scratch) {
            $0.minimumSide = 20
            $0.decodesPictures = true
        }
        #expect(kept.compactMap { $0["id"]?.string } == ["good", "none"])
        #expect(
            removed.compactMap { $0["rule"]?.string } == ["small", "picture", "picture", "picture", "broken"])
        #expect(removed[0]["reason"] == "picture small.png has 16×16 pixels")
        #expect(report.pictures == 5)
    }

    @Test func evaluationSetsAreKeptOut() throws {
        let scratch = try Scratch()
        try scratch.write("test/t.png", picture(64, 5))
        try scratch.write("same.png", picture(64, 5))
        try scratch.write("alike.png", picture(64, 5, shift: 3))
        try scratch.write("other.png", picture(64, 6))
        let sentence = "one two three four five six seven eight nine ten eleven twelve thirteen"
        let test = try scratch.write(
            "test/questions.jsonl",
            #"{"id":"1","image":"t.png","question":"\#(sentence)?","answers":["a"]}"#)
        let records = [
            record("same", image: "same.png", [("a", "b")]), record("alike", image: "alike.png", [("a", "b")]),
            record("other", image: "other.png", [("a", "b")]),
            record("text", [("Well: \(sentence.uppercased())", "b")]),
            record("part", [(String(sentence.dropFirst(4)), "b")]),
        ]
        let (kept, removed, _) = try filter(records, in: scratch) {
            $0.evaluation = try EvaluationOverlap(test, pictureDistance: 4)
        }
        #expect(kept.compactMap { $0["id"]?.string } == ["other", "part"])
        #expect(removed.allSatisfy { $0["rule"] == "evaluation" } && removed.count == 3)
    }

    /// What a benchmark adds to each of its questions is no question of its; answers count as records' do.
    @Test func templatesOfAnEvaluationSetAreNotKeptOut() throws {
        let scratch = try Scratch()
        let suffix = """
            When the provided information is insufficient, respond with 'Unanswerable'.\\nAnswer the question using a single word \
            or phrase.
            """
        let box = { (name: String) in "Where is each \(name)? Give boxes [x1, y1, x2, y2] from 0 to 1." }
        let long = "Which of the two men who stand at the left of the red car has a hat on his head?"
        let answer = "a small brown dog runs across the green grass near an old red barn in summer"
        var questions = (0..<40).map {
            #"{"id":"\#($0)","question":"What is thing \#($0)?\n\#(suffix)","answers":["a"]}"#
        }
        questions += (0..<40).map { #"{"id":"b\#($0)","question":"\#(box("kind\($0)"))","answers":["a"]}"# }
        questions.append(#"{"id":"l","question":"\#(long)\n\#(suffix)","answers":["a"]}"#)
        questions.append(#"{"id":"c","question":"Describe it.","answers":["b","\#(answer)"]}"#)
        let test = try scratch.write("test.jsonl", questions.joined(separator: "\n"))
        let records = [
            record("other", [("What is thing 77?\\n\(suffix)", "b")]), record("box", [(box("kind3"), "b")]),
            record("long", [(long, "b")]), record("suffixed", [("\(long)\\n\(suffix)", "b")]),
            record("caption", [("Say what you see.", answer)]),
        ]
        let (kept, removed, _) = try filter(records, in: scratch) { $0.evaluation = try EvaluationOverlap(test) }
        #expect(kept.compactMap { $0["id"]?.string } == ["other", "box"])
        #expect(removed.allSatisfy { $0["rule"] == "evaluation" } && removed.count == 3)
    }

    @Test func shardsTogetherAreTheWhole() throws {
        let scratch = try Scratch()
        let records = (0..<301).map { record("r\($0)", [("q", $0 % 7 == 0 ? "As an AI I won't" : "fine")]) }
        let dataset = try InstructionDataset(try scratch.write("in.jsonl", records.joined(separator: "\n")))
        var rules = CleaningRules()
        rules.refusals = CleaningRules.commonRefusals
        var filter = DatasetFilter(rules)
        let whole = try filter.run(dataset, to: scratch.file("whole.jsonl"), workers: 1)
        var ids: [String] = []
        var kept = 0
        for index in 1...4 {
            filter.shard = try Conversion.Shard("\(index)/4")
            kept += try filter.run(dataset, to: scratch.file("part.jsonl"), workers: 4).kept
            ids += try lines(scratch.file("part.jsonl")).compactMap { $0["id"]?.string }
        }
        #expect(kept == whole.kept)
        #expect(Set(ids) == Set(try lines(scratch.file("whole.jsonl")).compactMap { $0["id"]?.string }))
    }

    private func dedupe(
        _ records: [String], in scratch: Scratch, workers: Int = 3,
        _ configure: (inout DatasetDeduplication) -> Void = { _ in }
    ) throws -> (kept: [String], removed: [JSON]) {
        let dataset = try InstructionDataset(try scratch.write("in.jsonl", records.joined(separator: "\n")))
        var deduplication = DatasetDeduplication()
        configure(&deduplication)
        _ = try deduplication.run(dataset, to: scratch.file("unique.jsonl"), workers: workers)
        return (
            try lines(scratch.file("unique.jsonl")).compactMap { $0["id"]?.string },
            try lines(scratch.file("unique.removed.jsonl"))
        )
    }

    private static let words = (0..<60).map { "w\($0)" }

    @Test func equalAndNearTextsOfTheSamePictureGo() throws {
        let scratch = try Scratch()
        let long = Self.words.joined(separator: " ")
        var changed = Self.words
        changed[30] = "else"
        let records = [
            record("a", image: "x.png", [("Describe.", long)]),
            record("equal", image: "x.png", [("<image>\nDescribe.", long)]),
            record("near", image: "x.png", [("Describe.", changed.joined(separator: " "))]),
            record("other picture", image: "y.png", [("Describe.", long)]),
            record("different", image: "x.png", [("Describe.", Self.words.reversed().joined(separator: " "))]),
        ]
        let exact = try dedupe(records, in: scratch)
        #expect(exact.kept == ["a", "near", "other picture", "different"])
        #expect(exact.removed[0]["of"] == "a" && exact.removed[0]["rule"] == "equal")
        let near = try dedupe(records, in: scratch) { $0.threshold = 0.8 }
        #expect(near.kept == ["a", "other picture", "different"])
        // 59 triples each, of which 3 hold the changed word: 56 of 62.
        #expect(near.removed[1]["reason"] == "90 % of its word triples in common")
        let any = try dedupe(records, in: scratch) {
            $0.threshold = 0.8
            $0.ignoresPictures = true
        }
        #expect(any.kept == ["a", "different"])
    }

    /// What a record is told to be decides on its answer; a long one that many have makes them no nearer to each other.
    @Test func recordsOfOtherSystemTurnsStay() throws {
        let scratch = try Scratch()
        let long = Self.words.joined(separator: " ")
        let records = [
            record("a", system: "Be brief.", [("Who?", "Ann, who was here.")]),
            record("other", system: "Be kind.", [("Who?", "Ann, who was here.")]),
            record("none", [("Who?", "Ann, who was here.")]),
            record("equal", system: "Be brief.", [("Who?", "Ann, who was here.")]),
            record("long", system: long, [("Who?", "Ann, who was here.")]),
            record("far", system: long, [("Where?", "In the house next door.")]),
        ]
        let exact = try dedupe(records, in: scratch)
        #expect(exact.kept == ["a", "other", "none", "long", "far"] && exact.removed[0]["of"] == "a")
        #expect(try dedupe(records, in: scratch) { $0.threshold = 0.7 }.kept == exact.kept)
    }

    @Test func everyNearDuplicateAboveTheThresholdIsFound() throws {
        let scratch = try Scratch()
        var generator = RandomGenerator(seed: 3)
        var records: [String] = []
        for group in 0..<60 {
            let text = (0..<50).map { _ in "v\(generator.below(4000))" }
            for copy in 0..<3 {
                var words = text
                if copy > 0 { words[generator.below(50)] = "changed\(group)" }
                records.append(record("\(group)-\(copy)", [("Tell.", words.joined(separator: " "))]))
            }
        }
        generator.shuffle(&records)
        let (kept, removed) = try dedupe(records, in: scratch) { $0.threshold = 0.75 }
        #expect(kept.count == 60 && removed.count == 120)
        #expect(try dedupe(records, in: scratch, workers: 1) { $0.threshold = 0.75 }.kept == kept)
    }

    @Test func picturesThatLookAlikeAreOne() throws {
        let scratch = try Scratch()
        try scratch.write("a.png", picture(64, 1))
        try scratch.write("copy.png", picture(64, 1, shift: 2))
        try scratch.write("b.png", picture(64, 2))
        let records = [
            record("a", image: "a.png", [("What?", "This.")]), record("copy", image: "copy.png", [("What?", "This.")]),
            record("asks", image: "copy.png", [("Where?", "Here.")]), record("b", image: "b.png", [("What?", "This.")]),
        ]
        #expect(try dedupe(records, in: scratch).kept.count == 4)
        let joined = try dedupe(records, in: scratch) { $0.pictureDistance = 6 }
        #expect(joined.kept == ["a", "asks", "b"])
        let gone = try dedupe(records, in: scratch) {
            $0.pictureDistance = 6
            $0.removesPictures = true
        }
        #expect(gone.kept == ["a", "b"] && gone.removed.allSatisfy { $0["rule"] == "picture" })
    }

    @Test func noveltyComparesWithAllThatWasKept() throws {
        let scratch = try Scratch()
        let records = [
            record("a", [("Name three colours of the rainbow for me please", "x")]),
            record("b", [("Name three colours of the rainbow for me, now please", "y")]),
            record("c", [("How deep is the sea?", "z")]), record("d", [("虹の色を三つ教えてください", "z")]),
            record("e", [("虹の色を四つ教えてください", "z")]),
        ]
        let (kept, removed) = try dedupe(records, in: scratch) { $0.novelty = 0.7 }
        #expect(kept == ["a", "c", "d"])
        // 9 of 9 and 9 of 10 words in common: 18/19.
        #expect(removed[0]["reason"] == "ROUGE-L 0.947 is above 0.7" && removed[0]["of"] == "a")
    }
}
