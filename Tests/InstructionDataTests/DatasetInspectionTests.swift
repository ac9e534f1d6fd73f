import Basics
import InstructionData
import TestSupport
import Testing

/// Validation and statistics of whole data sets.
@Suite struct DatasetInspectionTests {
    private func record(_ image: String?, _ question: String, _ answer: String) -> String {
        let image = image.map { "\"image\": \"\($0)\", " } ?? ""
        return "{\(image)\"conversations\": [{\"from\": \"human\", \"value\": \"\(question)\"}, "
            + "{\"from\": \"gpt\", \"value\": \"\(answer)\"}]}\n"
    }

    private func check(_ bytes: UnsafeRawBufferPointer, _ name: String) throws {
        if bytes.isEmpty { throw UserError("\(name) is empty", fix: "copy it again") }
    }

    @Test(arguments: [1, 4]) func validationFindsEveryFaultOnce(workers: Int) throws {
        let scratch = try Scratch()
        try scratch.write("good.png", [1])
        try scratch.write("bad.png", [UInt8]())
        var text = ""
        for number in 0..<3000 {
            switch number {
            case 100, 2000: text += record("bad.png", "Q", "A")  // told once, for the first
            case 500: text += record("missing.png", "Q", "A")
            case 700, 701: text += record("good.png", "Q", "")
            case 2999: text += "{broken\n"
            default: text += record("good.png", "Q\(number)", "A")
            }
        }
        let dataset = try InstructionDataset(try scratch.write("d.jsonl", text))
        let report = try DatasetValidation(checkPicture: check).run(dataset, workers: workers)
        #expect(report.records == 3000 && report.pictures == 3 && report.faultCount == 5)
        #expect(report.first.map(\.line) == [101, 501, 701, 702, 3000])
        #expect(report.kinds.count == 4)
        #expect(report.kinds["turn N the answer is empty"] == 2, "\(report.kinds)")
        #expect(report.first.allSatisfy { $0.fix?.isEmpty == false })
        #expect(report.json["faults"] == 5)
    }

    @Test func lenientValidationCountsRepairs() throws {
        let scratch = try Scratch()
        let text =
            record(nil, "Q", "A") + "{\"messages\": [{\"role\": \"assistant\", \"content\": \"hi\"}, "
            + "{\"role\": \"user\", \"content\": \"Q\"}, {\"role\": \"assistant\", \"content\": \"A\"}]}"
        let dataset = try InstructionDataset(try scratch.write("d.jsonl", text), options: .init(lenient: true))
        let report = try DatasetValidation().run(dataset)
        #expect(report.faultCount == 0 && report.repairs == [.droppedLeadingAnswer: 1])
    }

    @Test func keptFaultsAreTheFirst() throws {
        let scratch = try Scratch()
        let text = (0..<5000).map { _ in record(nil, "Q", "") }.joined()
        let dataset = try InstructionDataset(try scratch.write("d.jsonl", text))
        var validation = DatasetValidation()
        validation.keptFaults = 3
        let report = try validation.run(dataset)
        #expect(report.faultCount == 5000 && report.first.map(\.line) == [1, 2, 3])
    }

    @Test func linesBeyondTheFirstBlockAreCounted() throws {
        let scratch = try Scratch()
        let padding = String(repeating: "x", count: 700)
        let text = (0..<6000).map { record(nil, padding + "\($0)", "A") }.joined()
        let dataset = try InstructionDataset(try scratch.write("d.jsonl", text))
        for position in [5999, 0, 1, 1490, 3000, 4500, 2] { #expect(dataset.line(at: position) == position + 1) }
    }

    @Test(arguments: [1, 3]) func statisticsCountWhatIsThere(workers: Int) throws {
        let scratch = try Scratch()
        let two =
            "{\"image\": [\"a.png\", \"b.png\"], \"conversations\": [{\"from\": \"human\", \"value\": \"one two three\"}, "
            + "{\"from\": \"gpt\", \"value\": \"yes\"}, {\"from\": \"human\", \"value\": \"four\"}, "
            + "{\"from\": \"gpt\", \"value\": \"no way\"}]}\n"
        let text = two + record(nil, "four", "yes") + two + "{}\n"
        let dataset = try InstructionDataset(try scratch.write("d.jsonl", text))
        let statistics = try DatasetStatistics(dataset, workers: workers, countTokens: { $0.utf8.count })
        #expect(statistics.records == 3 && statistics.broken == 1 && statistics.repeated == 1)
        #expect(statistics.answers == ["yes": 3, "no way": 2])
        #expect(statistics.questions == ["one two three": 2, "four": 3])
        let exchanges = try #require(statistics.spread(of: .exchanges))
        #expect(abs(exchanges.mean - 5.0 / 3) < 1e-12 && exchanges.median == 2 && exchanges.maximum == 2)
        #expect(statistics.spread(of: .answerTokens)?.maximum == 6)
        #expect(statistics.spread(of: .recordTokens)?.median == 26)
        #expect(statistics.spread(of: .pictures)?.high == 2)
        #expect(statistics.json["answers"]?[0]?["text"] == "yes")
    }
}
