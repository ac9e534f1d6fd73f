import Basics
import InstructionData
import TestSupport
import Testing

/// Runs that end in the middle and go on.
@Suite struct RunJournalTests {
    private func text(_ line: Int) -> JSONText {
        var text = JSONText()
        text.append(string: "line \(line)")
        text.endLine()
        return text
    }

    @Test func aKilledRunGoesOnWhereItNotedLast() throws {
        let scratch = try Scratch()
        let output = scratch.file("out.jsonl")
        let hidden = [AtomicFile.unfinishedName(of: output), scratch.file(".out.jsonl.journal")]
        var left: [[UInt8]] = []
        do {
            let journal = try RunJournal(beside: output, key: "k", interval: .zero)
            #expect(journal.done == 0)
            let file = try journal.open(output)
            for line in 0..<5 { try file.append(text(line)) }
            try journal.note(done: 5, [(output, file)], counts: ["records": 5])
            // What comes after the note is lost with the process, or stands in the file in part.
            for line in 5..<7 { try file.append(text(line)) }
            _ = try file.settle()
            left = try hidden.map { try Files.read($0) }
        }
        // The end of the objects took the unfinished file away, which the end of a process does not.
        for (path, bytes) in zip(hidden, left) { try Files.write(bytes, to: path) }
        #expect(try RunJournal(beside: output, key: "another").done == 0)
        let journal = try RunJournal(beside: output, key: "k")
        #expect(journal.done == 5)
        #expect(journal.counts["records"] == 5)
        let file = try journal.open(output)
        for line in 5..<9 { try file.append(text(line)) }
        try file.commit()
        try journal.finish()
        #expect(try Files.readText(output) == (0..<9).map { "\"line \($0)\"\n" }.joined())
        #expect(hidden.allSatisfy { !Files.exists($0) })
    }

    /// Runs that are stopped between two pieces leave what is done to the same run, or nothing.
    @Test func aStoppedRunGoesOnToTheSameBytes() throws {
        let scratch = try Scratch()
        let lines = (0..<1_000).map { number in
            let answer = number % 7 == 0 ? "I'm sorry" : "\(number)"
            return
                #"{"id": "\#(number)", "conversations": [{"from": "human", "value": "Say it."}, {"from": "gpt", "value": "\#(answer)"}]}"#
        }
        let data = try scratch.write("data.jsonl", lines.joined(separator: "\n"))
        let dataset = try InstructionDataset(data)
        func filter(_ output: String, stops: Bool) throws {
            var rules = CleaningRules()
            rules.refusals = CleaningRules.commonRefusals
            var filter = DatasetFilter(rules)
            filter.resumeKey = "k"
            _ = try filter.run(dataset, to: scratch.file(output)) { _ in if stops { throw RunStopped() } }
        }
        func convert(_ output: String, stops: Bool) throws {
            var conversion = Conversion(kind: "llava", request: ConversionRequest(input: data))
            conversion.output = scratch.file(output)
            conversion.resumeKey = "k"
            _ = try conversion.run { _, _ in if stops { throw RunStopped() } }
        }
        for (name, run) in [("filter", filter), ("convert", convert)] {
            try run("\(name)-whole.jsonl", false)
            // Each stopped run does a piece more.
            for _ in 0..<2 {
                #expect(throws: RunStopped(goesOn: true)) { try run("\(name).jsonl", true) }
                #expect(!Files.exists(scratch.file("\(name).jsonl")))
                #expect(Files.exists(scratch.file(".\(name).jsonl.journal")))
            }
            try run("\(name).jsonl", false)
            for end in [".jsonl", ".removed.jsonl"] where Files.exists(scratch.file("\(name)-whole\(end)")) {
                let files = try ["", "-whole"].map { try Files.readText(scratch.file(name + $0 + end)) }
                #expect(files[0] == files[1] && !files[0].isEmpty, "\(name)\(end)")
            }
        }
        var deduplication = DatasetDeduplication()
        #expect(throws: RunStopped()) {
            try deduplication.run(dataset, to: scratch.file("unique.jsonl")) { _ in throw RunStopped() }
        }
        deduplication.signatures = scratch.file("signatures")
        #expect(throws: RunStopped(goesOn: true)) {
            try deduplication.run(dataset, to: scratch.file("unique.jsonl")) { _ in throw RunStopped() }
        }
        #expect(throws: RunStopped()) {
            try DatasetMixing([.init(path: data)], rule: .weights, seed: 1).run(to: scratch.file("mix.jsonl")) { _ in
                throw RunStopped()
            }
        }
        #expect(throws: RunStopped()) {
            try ShapeWorld(count: 50, seed: 1, side: 32).write(to: scratch.file("shapes")) { _ in throw RunStopped() }
        }
        let names = try Files.list(Paths.parent(data))
        #expect(names.allSatisfy { !$0.hasPrefix(".") && !$0.hasPrefix("mix") && !$0.hasPrefix("unique") }, "\(names)")
        #expect(!names.contains("shapes"))
    }

    @Test func aJournalWithoutItsFileIsNotFollowed() throws {
        let scratch = try Scratch()
        let output = scratch.file("out.jsonl")
        let note: JSON = ["key": "k", "done": 5, "lengths": [output: 10], "counts": [:]]
        try Files.write(note.serialized(), to: scratch.file(".out.jsonl.journal"))
        #expect(try RunJournal(beside: output, key: "k").done == 0)
    }

    @Test func signaturesOfPartsGiveTheSameResult() throws {
        let scratch = try Scratch()
        let words = ["red", "blue", "cat", "dog", "sits", "runs", "here", "there", "large", "small"]
        var random = RandomGenerator(seed: 5)
        var lines: [String] = []
        for number in 0..<400 {
            let answer = (0..<12).map { _ in words[random.below(words.count)] }.joined(separator: " ")
            let copied = number > 20 && random.below(5) == 0
            lines.append(
                copied
                    ? lines[random.below(number)]
                    : #"{"id": "\#(number)", "conversations": [{"from": "human", "value": "Say it."}, {"from": "gpt", "value": "\#(answer)"}]}"#
            )
        }
        let data = try scratch.write("data.jsonl", lines.joined(separator: "\n"))
        let dataset = try InstructionDataset(data)
        var rules = DatasetDeduplication()
        rules.threshold = 0.7
        let whole = try rules.run(dataset, to: scratch.file("whole.jsonl"))
        rules.signatures = scratch.file("signatures")
        for part in ["1/2", "2/2"] { _ = try rules.sign(dataset, shard: try Conversion.Shard(part)) }
        #expect(try rules.sign(dataset, shard: nil) == (0, 1))
        let again = try rules.run(dataset, to: scratch.file("again.jsonl"))
        #expect(whole == again)
        #expect(whole.gone > 20)
        for name in ["", ".removed"] {
            let files = try ["whole", "again"].map { try Files.readText(scratch.file("\($0)\(name).jsonl")) }
            #expect(files[0] == files[1])
        }
        // Signatures of other records are not taken.
        try Files.write(lines.reversed().joined(separator: "\n"), to: data)
        let other = try InstructionDataset(data)
        #expect(try rules.sign(other, shard: nil) == (1, 0))
    }
}
