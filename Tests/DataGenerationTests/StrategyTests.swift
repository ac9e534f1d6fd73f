import Basics
import DataGeneration
import InstructionData
import Synchronization
import TestSupport
import Testing

/// Every strategy against a server that answers as a model would, with kills and faults in between.
@Suite(.serialized) struct StrategyTests {
    /// What a server says to each of the shipped prompts.
    private static func reply(_ request: TestServer.Request) -> String {
        let messages = request.body["messages"]?.array ?? []
        let last = messages.last?["content"]
        let text = last?.string ?? last?.array?.compactMap { $0["text"]?.string }.joined() ?? ""
        let number = text.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) & 0xFFFF }
        if text.contains("Come up with a series of tasks") || text.contains("Write ten more") {
            let words = [
                "rivers", "lamps", "bread", "clocks", "paint", "wind", "maths", "trains", "salt", "songs", "ice",
            ]
            return (1...6).map { item in
                let chosen = (0..<7).map { words[(number &* item / (1 + $0 * $0) + $0) % words.count] }
                return "\(item). Explain \(chosen.joined(separator: " "))"
            }.joined(separator: "\n")
        }
        if text.contains("Reply \"Yes\" or \"No\"") { return number % 2 == 0 ? "Yes" : "No" }
        if text.contains("Class label:") { return "Class label: good\nInput: first\nClass label: bad\nInput: second" }
        if text.contains("Example 1") {
            return "Input: in \(number)\nOutput: out \(number)\nExample 2\nInput: b\nOutput:"
        }
        if text.contains("Output:") { return "Output: seen \(number)" }
        if text.contains("[Human] Hello!") {
            return "[Human] Why \(number)?\n[AI] So.\n[Human] And then?\n[AI] Done.\n[Human]"
        }
        if text.contains("<description>") {
            return "<description>A picture \(number).</description><question>Why?</question><answer>So.</answer>"
        }
        if text.contains("Put the question into other words") { return "In other words \(number)?" }
        if text.contains("Write a harder one") {
            return "<question>Harder \(number)?</question>\n<answer>Yes.</answer>"
        }
        let system = messages.first?["content"]?.string ?? ""
        if system.contains("Question:") {
            return
                "Question:\nWhat is it?\n===\nAnswer:\nA cat \(number).\n===\nQuestion:\nWhy?\n===\nAnswer:\nIt is.\n==="
        }
        return "An answer \(number)."
    }

    private func dataset(_ scratch: Scratch, _ count: Int = 12) throws -> InstructionDataset {
        // A PNG of one pixel.
        let png: [UInt8] = [
            137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 144,
            119,
            83, 222, 0, 0, 0, 12, 73, 68, 65, 84, 8, 215, 99, 248, 207, 192, 0, 0, 3, 1, 1, 0, 24, 221, 141, 176, 0, 0,
            0,
            0, 73, 69, 78, 68, 174, 66, 96, 130,
        ]
        try Files.createDirectory(scratch.file("p"))
        var lines: [String] = []
        for index in 0..<count {
            try Files.write(png, to: scratch.file("p/\(index).png"))
            lines.append(
                #"{"id":"r\#(index)","image":"p/\#(index).png","conversations":[{"from":"human","value":"<image>\nq\#(index)"},"#
                    + #"{"from":"gpt","value":"A cat sits on a mat number \#(index)."}],"objects":["cat: [0.1, 0.2, 0.3, 0.4]"]}"#
            )
        }
        return try InstructionDataset(try scratch.write("data.jsonl", lines.joined(separator: "\n")))
    }

    private func plan(_ strategy: String, _ scratch: Scratch) throws -> GenerationPlan {
        var plan = GenerationPlan(strategy: strategy, prompts: shippedPrompts, output: scratch.file("out.jsonl"))
        plan.round = 4
        switch strategy {
        case "self-instruct", "instruct-wild": plan.count = 20
        case "self-chat": break
        default: plan.data = try dataset(scratch)
        }
        return plan
    }

    private func run(
        _ plan: GenerationPlan, _ server: TestServer, _ scratch: Scratch, journal name: String = "journal.jsonl",
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> GenerationReport {
        var policy = CompletionClient.Policy()
        // Which of the requests under way at once gets a bad answer is chance.
        policy.retries = 1000
        let journal = try CompletionJournal(scratch.file(name))
        defer { try? journal.close() }
        let client = CompletionClient(
            try EndpointWriter(server.address, model: "m", key: nil, timeout: 600), journal: journal, policy: policy,
            sleep: { _ in }, isCancelled: isCancelled)
        return try GenerationRun.run(plan, client: client)
    }

    @Test(arguments: GenerationStrategies.all.map { $0.name })
    func everyStrategyMakesRecordsThatCanBeRead(_ strategy: String) throws {
        let scratch = try Scratch()
        let server = try TestServer { request, _ in
            .answer(status: 200, body: TestServer.completion(Self.reply(request)))
        }
        defer { server.stop() }
        let plan = try plan(strategy, scratch)
        let report = try run(plan, server, scratch)
        let out = try InstructionDataset(scratch.file("out.jsonl"))
        #expect(out.count == report.records && report.records >= 8, "\(report)")
        var ids: Set<String> = []
        for position in 0..<out.count {
            let record = try out.record(at: position)
            ids.insert(record.id)
            let made = record.metadata["generated"]
            #expect(made?["strategy"]?.string == strategy && made?["model"] == "m")
            #expect(made?["prompt"]?.string?.utf8.count == 16 && made?["requests"]?.array?.isEmpty == false)
            for image in record.images { #expect(Files.exists(image.path)) }
        }
        #expect(ids.count == out.count)
    }

    /// An answer is paid for: nobody asks about more records than are wanted.
    @Test func fewRecordsCostFewAnswers() throws {
        let scratch = try Scratch()
        let server = try TestServer { request, _ in
            .answer(status: 200, body: TestServer.completion(Self.reply(request)))
        }
        defer { server.stop() }
        var plan = try plan("evolve", scratch)
        plan.round = 16
        plan.count = 3
        let report = try run(plan, server, scratch)
        #expect(report.records == 3 && server.requests.count == 3)
        #expect(try scratch.lines("out.jsonl").compactMap { $0["id"]?.string } == ["r0-e", "r1-e", "r2-e"])
    }

    /// Strategies that make several records of an answer, or none, ask by what is missing.
    @Test(arguments: ["self-instruct", "instruct-wild", "self-chat"], [1, 7])
    func whatIsMadeOfNothingCostsFewAnswers(_ strategy: String, count: Int) throws {
        let scratch = try Scratch()
        let server = try TestServer { request, _ in
            .answer(status: 200, body: TestServer.completion(Self.reply(request)))
        }
        defer { server.stop() }
        var plan = try plan(strategy, scratch)
        (plan.round, plan.count) = (16, count)
        #expect(try run(plan, server, scratch).records == count)
        // Two of seven at first for prompts, then an answer each, in Self-Instruct after another about its kind.
        let most = strategy == "self-chat" ? count : strategy == "instruct-wild" ? count + 2 : 2 * count + 2
        #expect(server.requests.count <= most, "\(server.requests.count)")
    }

    /// Two records of one name stay apart, with their pictures where they stood, their system turns, and questions that got no
    /// better words.
    @Test func questionsInOtherWordsStayInTheirRecords() throws {
        let scratch = try Scratch()
        let server = try TestServer { request, _ in
            let asked = request.body["messages"]?.array?.last?["content"]?.string ?? ""
            let word = ["one", "two", "three", "four", "five"].first { asked.contains("\($0)?") } ?? "none"
            return .answer(status: 200, body: TestServer.completion(word == "two" ? "a\nb" : "Rather \(word)?"))
        }
        defer { server.stop() }
        var plan = GenerationPlan(strategy: "rephrase", prompts: shippedPrompts, output: scratch.file("out.jsonl"))
        func turn(_ from: String, _ value: String) -> JSON { ["from": .string(from), "value": .string(value)] }
        func line(_ picture: String, _ turns: [JSON]) -> String {
            (["id": "same", "image": ["0.png", .string(picture)], "conversations": .array(turns)] as JSON).serialized()
        }
        let lines = [
            line(
                "1.png",
                [
                    turn("system", "Be kind."), turn("human", "<image>\none?"), turn("gpt", "1"),
                    turn("human", "two?"), turn("gpt", "2"), turn("human", "three?\n<image>"), turn("gpt", "3"),
                ]),
            line("2.png", [turn("human", "<image>\n<image>\nfour?"), turn("gpt", "4")]),
            line("3.png", [turn("human", "<image>\n<image>\nfive?"), turn("gpt", "5")]),
        ]
        plan.data = try InstructionDataset(try scratch.write("data.jsonl", lines.joined(separator: "\n")))
        (plan.round, plan.count) = (1, 2)
        #expect(try run(plan, server, scratch).records == 2 && server.requests.count == 4)
        let made = try scratch.lines("out.jsonl")
        #expect(made.map { $0["image"]?[1] } == ["1.png", "2.png"])
        let values = made.map { $0["conversations"]?.array?.compactMap { $0["value"]?.string } }
        #expect(values[0] == ["Be kind.", "<image>\nRather one?", "1", "two?", "2", "Rather three?\n<image>", "3"])
        #expect(values[1] == ["<image>\n<image>\nRather four?", "4"])
    }

    @Test func badAnswersAreSortedOutAndEachRecordComesOnce() throws {
        let scratch = try Scratch()
        let server = try TestServer { request, number in
            let good = TestServer.completion(Self.reply(request))
            switch number % 7 {
            case 0: return .answer(status: 429, body: "{}")
            case 1: return .answer(status: 500, body: "")
            case 2: return .half(good)
            case 3: return .answer(status: 200, body: "nonsense")
            case 4: return .nothing
            default: return .answer(status: 200, body: good)
            }
        }
        defer { server.stop() }
        let report = try run(try plan("evolve", scratch), server, scratch)
        #expect(report.records == 12 && report.totals.answers == 12 && report.totals.failures == 0)
        #expect(try scratch.lines("out.jsonl").compactMap { $0["id"]?.string } == (0..<12).map { "r\($0)-e" })
        #expect(try scratch.lines("journal.jsonl").count == 12)
    }

    @Test(arguments: ["self-instruct", "llava", "self-chat"])
    func tenStopsAndResumesGiveWhatOneRunGives(_ strategy: String) throws {
        let scratch = try Scratch()
        let server = try TestServer { request, _ in
            .answer(status: 200, body: TestServer.completion(Self.reply(request)))
        }
        defer { server.stop() }
        var plan = try plan(strategy, scratch)
        _ = try run(plan, server, scratch, journal: "whole.jsonl")
        let whole = try Files.readText(scratch.file("out.jsonl"))
        let asked = server.requests.count
        plan.output = scratch.file("parts.jsonl")
        let budget = max(1, asked / 11)
        for _ in 0..<10 {
            let allowed = Mutex(budget)
            let cut = SharedCounter(allowed)
            // A run that is cut before its first record has nothing to write, and says so.
            _ = try? run(plan, server, scratch, isCancelled: { cut.take() })
        }
        let last = try run(plan, server, scratch)
        #expect(last.stopped == nil)
        #expect(try Files.readText(scratch.file("parts.jsonl")) == whole)
        // Nothing was paid for twice.
        #expect(server.requests.count == 2 * asked)
    }

    @Test(arguments: ["llava", "caption", "rephrase", "evolve", "self-chat"])
    func partsHoldWhatTheWholeHolds(_ strategy: String) throws {
        let scratch = try Scratch()
        let server = try TestServer { request, _ in
            .answer(status: 200, body: TestServer.completion(Self.reply(request)))
        }
        defer { server.stop() }
        var plan = try plan(strategy, scratch)
        _ = try run(plan, server, scratch, journal: "whole.jsonl")
        let whole = try scratch.lines("out.jsonl").map { $0.serialized() }
        let asked = server.requests.count
        var parts: [String] = []
        for part in 1...5 {
            plan.shard = try Conversion.Shard("\(part)/5")
            plan.output = scratch.file("part-\(part).jsonl")
            _ = try run(plan, server, scratch, journal: "journal-\(part).jsonl")
            let lines = try scratch.lines("part-\(part).jsonl").map { $0.serialized() }
            // In the order of the whole, and far from all of it.
            #expect(lines == whole.filter(Set(lines).contains) && lines.count < whole.count / 2)
            parts += lines
        }
        #expect(parts.sorted() == whole.sorted())
        // The pictures of `caption` are equal, and equal requests are asked once a run.
        if strategy != "caption" { #expect(server.requests.count == 2 * asked) }
    }

    @Test func whatCannotBeDoneInPartsSaysWhy() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in .nothing }
        defer { server.stop() }
        func refusal(_ strategy: String, _ shard: String, count: Int? = nil) throws -> String? {
            var plan = try plan(strategy, scratch)
            plan.shard = try Conversion.Shard(shard)
            plan.count = count ?? plan.count
            return problem { _ = try self.run(plan, server, scratch) }?.problem
        }
        for strategy in ["self-instruct", "instruct-wild"] {
            #expect(
                try refusal(strategy, "1/2")
                    == "\(strategy) cannot be done in parts: what is new depends on all that was made before")
        }
        #expect(
            try refusal("self-chat", "1/2", count: 9)
                == "a part does not know how many records the other parts make")
        #expect(server.requests.isEmpty && !Files.exists(scratch.file("out.jsonl")))
    }

    /// As of `convert`: the same call does for every part, and parts are put together without looking.
    @Test(arguments: ["evolve", "self-chat"])
    func aPartWithoutWorkIsAnEmptyFile(_ strategy: String) throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in .nothing }
        defer { server.stop() }
        var plan = try plan(strategy, scratch)
        plan.count = nil
        plan.shard = try Conversion.Shard("1000/1000")
        #expect(try run(plan, server, scratch).records == 0)
        #expect(try scratch.lines("out.jsonl").isEmpty && server.requests.isEmpty)
    }

    /// Counts attempts down; true when none is left.
    final class SharedCounter: Sendable {
        private let left: Mutex<Int>
        init(_ left: consuming Mutex<Int>) { self.left = left }
        func take() -> Bool {
            left.withLock { left in
                left -= 1
                return left < 0
            }
        }
    }

    @Test func filtersOfSelfInstructTurnDownWhatTheyShould() throws {
        let scratch = try Scratch()
        let list = """
            1. Too short here
            2. Draw a picture of a cat on a sunny roof top
            3. Explain how a sundial tells the time of day
            4. Explain how a sundial tells us the time of day
            5. Write a program that sorts words by their length
            6. ?Name rivers in the north of Spain or France
            7. Name four rivers that flow through more than one country
            """
        let server = try TestServer { request, _ in
            let text = request.body["messages"]?.array?.last?["content"]?.string ?? ""
            return .answer(
                status: 200,
                body: TestServer.completion(text.contains("series of tasks") ? list : Self.reply(request)))
        }
        defer { server.stop() }
        var plan = try plan("self-instruct", scratch)
        plan.count = 2
        plan.round = 1
        let report = try run(plan, server, scratch)
        #expect(report.records == 2)
        #expect(
            report.rejected == [
                "too short": 1, "needs a picture or a file": 1, "not new": 1, "asks for a program": 1,
                "begins with a mark": 1,
            ])
        #expect(try scratch.lines("out.rejected.jsonl").count == 5)
    }

    /// What was turned down is not left behind by an output that can't take its name.
    @Test func outputAndRejectionsAppearTogether() throws {
        let scratch = try Scratch()
        let inTheWay = scratch.file("out.jsonl/in the way")
        let server = try TestServer { request, _ in
            try? Files.createDirectory(inTheWay)
            return .answer(status: 200, body: TestServer.completion(Self.reply(request)))
        }
        defer { server.stop() }
        let plan = try plan("rephrase", scratch)
        let error = problem { _ = try run(plan, server, scratch) }
        #expect(error?.problem.contains("out.jsonl") == true)
        #expect(!Files.exists(scratch.file("out.rejected.jsonl")))
    }

    @Test func promptsAreCheckedWhenTheyAreLoaded() throws {
        let scratch = try Scratch()
        try scratch.write("prompts/rephrase/question.yaml", "user: \"{{ qestion }}\"")
        var plan = try plan("rephrase", scratch)
        plan.prompts = scratch.file("prompts")
        let server = try TestServer { _, _ in .nothing }
        defer { server.stop() }
        let unknown = problem { _ = try self.run(plan, server, scratch) }
        #expect(unknown?.problem.hasSuffix("user uses \"qestion\" (did you mean \"question\"?)") == true)
        try scratch.write("prompts/rephrase/question.yaml", "usr: x\n")
        #expect(
            problem { _ = try self.run(plan, server, scratch) }?.problem.contains(":1: unknown key \"usr\"") == true)
        #expect(server.requests.isEmpty && !Files.exists(scratch.file("out.jsonl")))
    }
}
