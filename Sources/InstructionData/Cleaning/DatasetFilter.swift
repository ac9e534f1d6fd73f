public import Basics
import Tokenization

/// Takes out of a data set what breaks rules; each removal is written with its reason.
public struct DatasetFilter: Sendable {
    /// What must hold.
    public var rules: CleaningRules
    /// Only the records whose number is the part's modulo the number of parts.
    public var shard: Conversion.Shard?

    /// A filter.
    public init(_ rules: CleaningRules) { self.rules = rules }

    private struct Verdict: Sendable {
        var line: String?
        var cut = 0
        var removals: [Removal] = []
        var isKept = false
    }

    /// Runs over a data set; the result does not depend on the number of threads.
    ///
    /// - Parameter output: the file to write, with `<output>.removed.jsonl` beside it; nil to count only.
    /// - Throws: a `Problem`; then nothing was written.
    public func run(
        _ dataset: InstructionDataset, to output: String?, workers: Int = Parallel.processors,
        progress: ((Int) -> Void)? = nil
    ) throws -> CleaningReport {
        let writing = try CleaningOutput(output, dataset: dataset)
        let needsHash = rules.evaluation?.looksAtPictures == true
        var ledger = PictureLedger(.init(decodes: rules.decodesPictures, hashes: needsHash))
        let blocked = rules.blockedWords()
        let round = 128 * max(1, workers) * 8
        for start in stride(from: 0, to: dataset.count, by: round) {
            let positions = (start..<min(dataset.count, start + round)).filter { position in
                shard.map { position % $0.count == $0.index } ?? true
            }
            let pieces = stride(from: 0, to: positions.count, by: 128).map { $0..<min(positions.count, $0 + 128) }
            let read = try Parallel.map(pieces, workers: workers) { piece in
                piece.map { index in
                    var repairs: [Repair] = []
                    return Result { try dataset.unresolvedRecord(at: positions[index], repairs: &repairs) }
                }
            }
            if rules.looksAtPictures {
                let images = read.flatMap { $0 }.flatMap { (try? $0.get())?.images ?? [] }
                let fresh = try ledger.look(
                    at: images.map { $0.resolved(under: dataset.imageFolder) }, workers: workers)
                writing.report.pictures += fresh.count
            }
            let (facts, lines) = (ledger.facts, writing.output)
            let verdicts = try Parallel.map(Array(read.enumerated()), workers: workers) { number, records in
                try records.enumerated().map { index, result in
                    try verdict(
                        result, position: positions[pieces[number].lowerBound + index], dataset, facts, blocked,
                        writing: lines)
                }
            }
            for (index, verdict) in verdicts.flatMap({ $0 }).enumerated() {
                writing.report.records += 1
                for removal in verdict.removals { try writing.remove(removal, at: positions[index]) }
                writing.report.exchanges += verdict.isKept ? verdict.cut : 0
                if verdict.isKept { try writing.keep(verdict.line) }
            }
            progress?(min(dataset.count, start + round))
        }
        return try writing.commit()
    }

    private func verdict(
        _ result: Result<InstructionRecord, any Error>, position: Int, _ dataset: InstructionDataset,
        _ facts: [ImageReference: PictureFacts], _ blocked: [[UInt64]], writing: RecordOutput?
    ) throws -> Verdict {
        var record: InstructionRecord
        do { record = try result.get() } catch let error as RecordError {
            let removal = Removal(id: String(position), rule: "broken", reason: error.reason)
            return Verdict(removals: [removal])
        }
        func removed(_ rule: String, _ reason: String) -> Verdict {
            Verdict(removals: [Removal(id: record.id, rule: rule, reason: reason)])
        }
        if rules.looksAtPictures {
            for image in record.images {
                guard let fact = facts[image.resolved(under: dataset.imageFolder)] else { continue }
                if let (rule, reason) = fault(of: fact, image) { return removed(rule, reason) }
            }
        }
        var verdict = Verdict()
        let dialogue = Array(record.conversation.dialogue)
        if let evaluation = rules.evaluation {
            for turn in dialogue where evaluation.sharesText(turn.content) {
                return removed("evaluation", "\(evaluation.runLength) words in a row stand in the evaluation set")
            }
        }
        var kept: [Turn] = record.conversation.system.map { [Turn(role: .system, content: $0)] } ?? []
        var carried = 0
        var answers: [String: Int] = [:]
        for start in stride(from: 0, to: dialogue.count - 1, by: 2) {
            let (question, answer) = (dialogue[start].content, dialogue[start + 1].content)
            var fault = rules.fault(question: question, answer: answer, blocked)
            if fault == nil, let most = rules.maximumEqualAnswers, WordSequence(answer).count > 3 {
                answers[answer, default: 0] += 1
                if answers[answer, default: 0] > most {
                    fault = ("repeats", "the same answer stands more than \(most) times")
                }
            }
            if fault == nil, let most = rules.maximumExchanges, start / 2 >= most {
                fault = ("turns", "the record has more than \(most) exchanges")
            }
            if let (rule, reason) = fault {
                verdict.cut += 1
                verdict.removals.append(Removal(id: record.id, rule: rule, reason: reason, exchange: start / 2))
                carried += question.count(ofUTF8: Conversation.imageMarker)
                continue
            }
            // The markers of questions that went stand before the next one.
            let markers = String(repeating: Conversation.imageMarker + "\n", count: carried)
            carried = 0
            kept.append(Turn(role: .user, content: markers + question))
            kept.append(Turn(role: .assistant, content: answer))
        }
        if carried > 0, let last = kept.lastIndex(where: { $0.role == .user }) {
            kept[last].content = String(repeating: Conversation.imageMarker + "\n", count: carried) + kept[last].content
        }
        guard kept.contains(where: { $0.role == .assistant }) else { return verdict }
        verdict.isKept = true
        if verdict.cut > 0 { dropLists(of: &record, verdict.removals.compactMap(\.exchange)) }
        record.conversation = Conversation(kept)
        guard let writing else { return verdict }
        // What is not changed is copied as it stands.
        if verdict.cut == 0, !dataset.options.lenient, writing.keepsNames() {
            verdict.line = dataset.text(at: position)
        }
        if verdict.line == nil { verdict.line = writing.line(of: record) }
        return verdict
    }

    /// Lists of one entry an exchange lose the entries of those that went.
    private func dropLists(of record: inout InstructionRecord, _ gone: [Int]) {
        for key in ["tasks", "templates"] {
            guard let list = record.metadata[key]?.array else { continue }
            record.metadata[key] = .array(list.enumerated().filter { !gone.contains($0.offset) }.map(\.element))
        }
    }

    private func fault(of fact: PictureFacts, _ image: ImageReference) -> (String, String)? {
        if let fault = fact.fault { return ("picture", fault) }
        if let least = rules.minimumSide, min(fact.width, fact.height) < least {
            return ("small", "picture \(image) has \(fact.width)×\(fact.height) pixels")
        }
        if let most = rules.maximumAspect, fact.height > 0, fact.width > 0 {
            let aspect = Double(max(fact.width, fact.height)) / Double(min(fact.width, fact.height))
            if aspect > most { return ("aspect", "picture \(image) has \(fact.width)×\(fact.height) pixels") }
        }
        if rules.evaluation?.sharesPicture(fact) == true {
            return ("evaluation", "picture \(image) is one of the evaluation set's, or looks like it")
        }
        return nil
    }
}
