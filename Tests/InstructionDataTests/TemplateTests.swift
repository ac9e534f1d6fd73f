import Basics
import Foundation
import InstructionData
import TestSupport
import Testing

/// Template files, what is refused in them, and records recast through them.
@Suite struct TemplateTests {
    private static let shipped = Paths.join(Paths.parent(Paths.parent(Paths.parent(#filePath))), "Datasets/templates")

    private static let counting = """
        task: counting
        summary: how many
        fields: {object: required, count: answer}
        metrics: [exact]
        answer: "{{ count }}"
        templates:
          - {name: how-many, prompt: "How many {{ object }}?"}
          - {name: tally, prompt: "Count the {{ object }}:", answer: "{{ count }} {{ object }}"}
          - {name: which, inverted: true, prompt: "{{ count }} of what?", answer: "{{ object }}"}
        """

    private func lines(_ path: String) throws -> [JSON] {
        try Files.readText(path).split(separator: "\n").map { try JSON.parse(String($0), source: path) }
    }

    /// Recasts records with a task and fields; returns the output's lines.
    private func recast(
        _ records: String, with library: TemplateLibrary, in scratch: Scratch,
        _ configure: (inout TemplateChoice) -> Void = { _ in }, lenient: Bool = false
    ) throws -> [JSON] {
        var request = ConversionRequest(input: try scratch.write("in.jsonl", records))
        request.lenient = lenient
        var conversion = Conversion(kind: "llava", request: request)
        conversion.output = scratch.file("out.jsonl")
        var choice = TemplateChoice(library, seed: 5)
        configure(&choice)
        conversion.templates = choice
        _ = try conversion.run()
        return try lines(scratch.file("out.jsonl"))
    }

    private func record(_ id: String, image: String? = nil, question: String, answer: String, tasks: String) -> String {
        let picture = image.map { #""image":"\#($0)","# } ?? ""
        return
            #"{"id":"\#(id)",\#(picture)"conversations":[{"from":"human","value":"\#(question)"},"#
            + #"{"from":"gpt","value":"\#(answer)"}],"tasks":[\#(tasks)]}"#
    }

    @Test func shippedTemplatesHaveTenPhrasingsATask() throws {
        let library = try TemplateLibrary(Self.shipped)
        #expect(library.tasks.count >= 15)
        for task in library.tasks {
            #expect(task.templates.count { !$0.isInverted } >= 10, "\(task.name)")
            #expect(!task.metrics.isEmpty && !task.summary.isEmpty)
        }
        #expect(library.tasks.count { $0.templates.contains(where: \.isInverted) } >= 5)
        // LLaVA-1.5's prompt for short answers, word for word.
        let short = try library.task(named: "vqa-short").templates.first { $0.name == "vqa-short/llava" }
        #expect(
            try short?.render(["question": "What colour?", "answer": "red"])?.prompt
                == "What colour?\nAnswer the question using a single word or phrase.")
    }

    @Test func everyShippedPhrasingRenders() throws {
        let fields: [String: JSON] = [
            "question": "What is it?", "answer": "cat", "caption": "A cat.", "label": "cat", "object": "cats",
            "count": "2", "boxes": "[0.1, 0.2, 0.3, 0.4]", "box": "[0.1, 0.2, 0.3, 0.4]", "phrase": "the cat",
            "text": "STOP", "sentence": "There is a cat.", "choices": ["dog", "cat"],
        ]
        for template in try TemplateLibrary(Self.shipped).tasks.flatMap(\.templates) {
            let rendered = try #require(try template.render(fields), "\(template.name) came out empty")
            for text in [rendered.prompt, rendered.answer] { #expect(!text.contains("{") && !text.contains("  ")) }
        }
    }

    @Test func multipleChoiceIsLaidOutAsInLLaVA() throws {
        let task = try TemplateLibrary(Self.shipped).task(named: "multiple-choice")
        let fields: [String: JSON] = ["question": "Who?", "answer": "Bo", "choices": ["Al", "Bo"], "hint": "A play."]
        let rendered = try #require(try task.templates[0].render(fields))
        #expect(
            rendered.prompt
                == "A play.\nWho?\nA. Al\nB. Bo\nAnswer with the option's letter from the given choices directly.")
        #expect(rendered.answer == "B" && rendered.choices == ["Al", "Bo"])
    }

    @Test func theChoiceFollowsFromSeedAndRecordAlone() throws {
        let scratch = try Scratch()
        let library = try TemplateLibrary(Self.shipped)
        let records = (0..<40).map {
            record("r\($0)", question: "Why \($0)?", answer: "so", tasks: #"{"task":"vqa-short"}"#)
        }
        let all = try recast(records.joined(separator: "\n"), with: library, in: scratch)
        let names = all.compactMap { $0["templates"]?[0]?.string }
        #expect(Set(names).count > 5)
        #expect(names.allSatisfy { $0.hasPrefix("vqa-short/") } && all[0]["template_seed"] == 5)
        // Another order, other neighbours: each record keeps its phrasing.
        let reversed = try recast(records.reversed().joined(separator: "\n"), with: library, in: scratch)
        #expect(reversed.reversed().map { $0["conversations"] } == all.map { $0["conversations"] })
        let other = try recast(records.joined(separator: "\n"), with: library, in: scratch) { $0.seed = 6 }
        #expect(other.map { $0["conversations"] } != all.map { $0["conversations"] })
    }

    /// A link to the folder above is no further folder of templates.
    @Test func linksBackAreNotFollowed() throws {
        let scratch = try Scratch()
        try scratch.write("t/in/a.yaml", Self.counting)
        #expect(symlink("..", scratch.file("t/up")) == 0)
        #expect(try TemplateLibrary(scratch.file("t")).tasks.map(\.name) == ["counting"])
    }

    @Test func fieldsOnlyAndExceptAndInverted() throws {
        let scratch = try Scratch()
        let library = try TemplateLibrary(try scratch.write("counting.yaml", Self.counting))
        let record = record(
            "a", image: "x.png", question: "<image>\\nhow many?", answer: "3",
            tasks: #"{"task":"counting","fields":{"object":"cats"}}"#)
        func value(_ line: JSON, _ turn: Int) -> String? { line["conversations"]?[turn]?["value"]?.string }
        let tally = try recast(record, with: library, in: scratch) { $0.only = ["tally"] }
        #expect(value(tally[0], 0) == "<image>\nCount the cats:" && value(tally[0], 1) == "3 cats")
        let rest = try recast(record, with: library, in: scratch) { $0.except = ["counting/tally"] }
        #expect(value(rest[0], 0) == "<image>\nHow many cats?" && value(rest[0], 1) == "3")
        let all = try recast(record, with: library, in: scratch) {
            $0.includesInverted = true
            $0.perRecord = .max
        }
        #expect(all.compactMap { $0["id"]?.string } == ["a-t1", "a-t2", "a-t3"])
        #expect(Set(all.compactMap { value($0, 1) }) == ["3", "3 cats", "cats"])
        let missing = problem {
            _ = try recast(
                self.record("b", question: "q", answer: "1", tasks: #"{"task":"counting"}"#), with: library, in: scratch
            )
        }
        #expect(missing?.problem.hasSuffix(#"in.jsonl:1: the task counting needs the field "object""#) == true)
        let unknown = problem { _ = try recast(record, with: library, in: scratch) { $0.only = ["taly"] } }
        #expect(unknown?.problem.hasPrefix(#"no phrasing is called "taly""#) == true)
        // A call that can be copied: --list wants the templates, too.
        #expect(unknown?.fix?.hasSuffix("--list --templates Datasets/templates") == true)
    }

    @Test func aTextMayPlaceItsPictures() throws {
        let scratch = try Scratch()
        let line =
            #"{"id":"p","image":["a.png","b.png"],"conversations":[{"from":"human","value":"s"},{"from":"gpt","value":"yes"}],"#
            + #""tasks":[{"task":"comparison","fields":{"sentence":"Both are red."}}]}"#
        let out = try recast(line, with: try TemplateLibrary(Self.shipped), in: scratch) { $0.only = ["first-second"] }
        #expect(
            out[0]["conversations"]?[0]?["value"]?.string?
                .hasPrefix("First picture: <image>\nSecond picture: <image>\nBoth are red.\n") == true)
    }

    @Test func allFaultsOfAFileAreToldAtOnce() throws {
        let scratch = try Scratch()
        let text = Self.counting.replacing("summary:", with: "sumary:").replacing("[exact]", with: "[exct]")
            .replacing("Count the {{ object }}:", with: "Count {{ objekt }}").replacing("how many}", with: "x}")
            .replacing("{{ count }} of what?", with: "{{ count of what?")
        let path = try scratch.write("bad.yaml", text)
        let fault = problem { _ = try TemplateLibrary(path, metrics: ["exact", "vqa"]) }
        let lines = fault?.problem.split(separator: "\n").map { String($0.dropFirst(path.count)) } ?? []
        #expect(lines.count == 4)
        #expect(lines[0] == #":2: unknown key "sumary" (did you mean "summary"?)"#)
        #expect(lines[1] == #":4: unknown metric "exct" (did you mean "exact"?)"#)
        #expect(
            lines[2].hasPrefix(#":8: "tally" uses "objekt", which is no field of the task (did you mean "object"?)"#))
        #expect(lines[3].hasPrefix(":9: counting/which: "))
    }

    @Test func promptSourceFilesAreReadAsTheyAre() throws {
        let scratch = try Scratch()
        let path = try scratch.write(
            "templates.yaml",
            #"""
            dataset: news
            subset: small
            templates:
              24e44a81-a18a-42dd-a71c-5b31b2d2cb39: !Template
                answer_choices: World ||| Sports
                id: 24e44a81-a18a-42dd-a71c-5b31b2d2cb39
                jinja: "{{text}} \n\nWhich section? {{answer_choices | join(', ')}}\n|||\n{{answer_choices[label]}}"
                metadata: !TemplateMetadata
                  choices_in_prompt: true
                  languages: [en]
                  metrics: [Accuracy]
                  original_task: true
                name: section
                reference: ''
              9f1c3a0e-0000-4000-8000-000000000000: !Template
                answer_choices: null
                id: 9f1c3a0e-0000-4000-8000-000000000000
                jinja: |-
                  {% if label == 0 %}
                  Only the world. ||| {{ text | most_frequent | length }}
                  {% endif %}
                metadata: !TemplateMetadata
                  original_task: false
                name: world only
                reference: ''
            """#)
        let task = try TemplateLibrary(path).task(named: "news/small")
        #expect(task.templates.map(\.name) == ["news/small/section", "news/small/world only"])
        #expect(task.templates[0].metrics == ["Accuracy"] && task.templates[1].isInverted)
        // A field that holds the separator does not split the text.
        let rendered = try task.templates[0].render(["text": "a ||| b", "label": 1])
        #expect(rendered?.prompt == "a ||| b \n\nWhich section? World, Sports" && rendered?.answer == "Sports")
        // A template that renders to nothing is passed over.
        #expect(try task.templates[1].render(["text": "aab", "label": 1]) == nil)
        #expect(try task.templates[1].render(["text": "aab", "label": 0])?.answer == "1")
    }

    @Test func archivesInAFolderKeepTheirNames() throws {
        let scratch = try Scratch()
        let line = record(
            "a", image: "pictures.tar#x.png", question: "Why?", answer: "so", tasks: #"{"task":"vqa-short"}"#)
        let out = try recast(line, with: try TemplateLibrary(Self.shipped), in: scratch)
        #expect(out[0]["image"] == "pictures.tar#x.png")
    }
}

/// Mixtures written as files.
@Suite struct DatasetMixingTests {
    private func write(_ name: String, _ count: Int, in scratch: Scratch) throws -> String {
        try scratch.write(
            "\(name)/data.jsonl",
            (0..<count).map {
                #"{"id":"\#(name)\#($0)","image":"p/\#($0).png","conversations":"#
                    + #"[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#
            }.joined(separator: "\n"))
    }

    private func mix(_ sources: [DatasetMixing.Source], _ rule: String, in scratch: Scratch, seed: UInt64 = 1) throws
        -> [JSON]
    {
        let mixing = DatasetMixing(sources, rule: try Mixture.Rule(rule), seed: seed)
        _ = try mixing.run(to: scratch.file("out/mix.jsonl"), workers: 3)
        return try Files.readText(scratch.file("out/mix.jsonl")).split(separator: "\n").map {
            try JSON.parse(String($0), source: "mix")
        }
    }

    @Test func sharesFollowTheRuleAndPicturesAreFound() throws {
        let scratch = try Scratch()
        let (a, b) = (try write("a", 40, in: scratch), try write("b", 10, in: scratch))
        try scratch.write("b/p/3.png", [7])
        func counts(_ lines: [JSON]) -> [Int] {
            [a, b].map { path in lines.count { $0["source"]?.string == path } }
        }
        #expect(try counts(mix([.init(path: a), .init(path: b)], "weights", in: scratch)) == [40, 10])
        #expect(try counts(mix([.init(path: a), .init(path: b)], "proportional:20", in: scratch)) == [20, 10])
        // 50 samples in shares of √40 : √10 = 2 : 1.
        #expect(try counts(mix([.init(path: a), .init(path: b)], "temperature:2", in: scratch)) == [33, 17])
        let chosen = try mix(
            [.init(path: a, selection: .last(.count(2))), .init(path: b, selection: .random(.percent(50)), weight: 2)],
            "weights", in: scratch)
        #expect(counts(chosen) == [2, 10])
        let dataset = try InstructionDataset(scratch.file("out/mix.jsonl"))
        let positions = (0..<dataset.count).filter { chosen[$0]["id"] == "b3" }
        if let position = positions.first {
            let image = try dataset.record(at: position).images[0]
            #expect(try ImageStore().withBytes(of: image) { Array($0) } == [7])
        }
        let note = try JSON.read(scratch.file("out/mix.mixture.json"))
        #expect(note["components"]?[1]?["selection"] == "random:50.0%" && note["seed"] == 1)
    }

    @Test func theSameSeedGivesTheSameFile() throws {
        let scratch = try Scratch()
        let sources = [DatasetMixing.Source(path: try write("a", 30, in: scratch))]
        let first = try mix(sources, "weights", in: scratch).map { $0["id"] }
        #expect(try mix(sources, "weights", in: scratch).map { $0["id"] } == first)
        #expect(try mix(sources, "weights", in: scratch, seed: 2).map { $0["id"] } != first)
    }

    @Test(arguments: ["weight", "proportional", "proportional:x", "temperature:", "temperature:2:x"])
    func malformedRulesShowTheForms(_ rule: String) {
        #expect(problem { _ = try Mixture.Rule(rule) }?.fix?.contains("proportional:30000") == true)
    }
}
