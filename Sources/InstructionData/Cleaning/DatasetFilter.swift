public import Basics
import Tokenization

/// Takes out of a data set what breaks rules; each removal is written with its reason.
public struct DatasetFilter: Sendable {
    /// What must hold.
    public var rules: CleaningRules
    /// Only the records whose number is the part's modulo the number of parts.
    public var shard: Conversion.Shard?
    /// Tells this run from all others, so that it goes on when it was killed; nil: it begins anew.
    public var resumeKey: String?

    /// A filter.
    public init(_ rules: CleaningRules) { self.rules = rules }

    /// What becomes of some records.
    private struct Piece: Sendable {
        var lines = JSONText()
        var records = 0
        var kept = 0
        /// Exchanges taken out of records that are kept.
        var exchanges = 0
        var removals: [(position: Int, removal: Removal)] = []
    }

    /// Runs over a data set; the result does not depend on the number of threads.
    ///
    /// - Parameter output: the file to write, with `<output>.removed.jsonl` beside it; nil to count only.
    /// - Throws: a `Problem`, or `RunStopped` when `progress` does; then nothing was written.
    public func run(
        _ dataset: InstructionDataset, to output: String?, workers: Int = Parallel.processors,
        progress: ((Int) throws -> Void)? = nil
    ) throws -> CleaningReport {
        let writing = try CleaningOutput(output, dataset: dataset, resumeKey: resumeKey)
        let needsHash = rules.evaluation?.looksAtPictures == true
        let ledger = PictureLedger(.init(decodes: rules.decodesPictures, hashes: needsHash), under: dataset.imageFolder)
        let (blocked, lines) = (rules.blockedWords(), writing.output)
        var pass = DatasetPass(dataset, workers: workers, shard: shard)
        pass.start = writing.done
        if rules.looksAtPictures {
            try count(pass, upTo: writing.done, of: dataset, ledger)
            // Pictures take long, and a run that is asked to stop ends with its pieces.
            pass.piece = 16
        }
        do {
            try pass.run { positions, tape in
                var piece = Piece()
                for position in positions {
                    try judge(position, of: dataset, tape, ledger, blocked, writing: lines, into: &piece)
                }
                return piece
            } consume: { done, piece in
                writing.report.records += piece.records
                writing.report.exchanges += piece.exchanges
                for (position, removal) in piece.removals { try writing.remove(removal, at: position) }
                try writing.keep(piece.lines, count: piece.kept)
                try writing.note(done: done)
                try progress?(done)
            }
        } catch is RunStopped {
            throw RunStopped(goesOn: try writing.keep())
        }
        writing.report.pictures = ledger.count
        return try writing.commit()
    }

    /// Pictures of records that an earlier run has done are counted without a look.
    private func count(
        _ pass: DatasetPass, upTo done: Int, of dataset: InstructionDataset, _ ledger: PictureLedger
    ) throws {
        var earlier = pass
        (earlier.start, earlier.count) = (0, min(done, dataset.count))
        try earlier.run { positions, tape in
            for position in positions {
                var repairs: [Repair] = []
                let record = try? dataset.unresolvedRecord(
                    at: position, repairs: &repairs, on: tape, keepsMetadata: false)
                for image in record?.images ?? [] { ledger.note(image) }
            }
        } consume: { _, _ in
        }
    }

    private func judge(
        _ position: Int, of dataset: InstructionDataset, _ tape: JSONTape, _ ledger: PictureLedger,
        _ blocked: [[UInt64]], writing: RecordOutput?, into piece: inout Piece
    ) throws {
        piece.records += 1
        var repairs: [Repair] = []
        let record: InstructionRecord
        do {
            record = try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape, keepsMetadata: false)
        } catch let error as RecordError {
            let removal = Removal(id: String(position), rule: "broken", reason: error.reason)
            return piece.removals.append((position, removal))
        }
        let dialogue = Array(record.conversation.dialogue)
        if let (rule, reason) = fault(of: record.images, ledger) ?? overlap(of: dialogue) {
            return piece.removals.append((position, Removal(id: record.id, rule: rule, reason: reason)))
        }
        let (kept, removals) = keptTurns(of: record, dialogue, blocked)
        piece.removals += removals.map { (position, $0) }
        guard kept.contains(where: { $0.role == .assistant }) else { return }
        piece.kept += 1
        piece.exchanges += removals.count
        guard let writing else { return }
        // What is not changed is copied as it stands.
        if removals.isEmpty, !dataset.options.lenient, writing.keepsNames(), let text = dataset.text(at: position) {
            piece.lines.append(raw: text)
            return piece.lines.endLine()
        }
        var whole = try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape)
        if !removals.isEmpty { dropLists(of: &whole, removals.compactMap(\.exchange)) }
        whole.conversation = Conversation(kept)
        writing.write(whole, to: &piece.lines)
    }

    private func overlap(of dialogue: [Turn]) -> (String, String)? {
        guard let evaluation = rules.evaluation, dialogue.contains(where: { evaluation.sharesText($0.content) }) else {
            return nil
        }
        return ("evaluation", "\(evaluation.runLength) words in a row stand in the evaluation set")
    }

    /// The turns that stay, and why the others go.
    private func keptTurns(
        of record: InstructionRecord, _ dialogue: [Turn], _ blocked: [[UInt64]]
    ) -> (turns: [Turn], removals: [Removal]) {
        var removals: [Removal] = []
        var kept: [Turn] = record.conversation.system.map { [Turn(role: .system, content: $0)] } ?? []
        var carried = 0
        var answers: [String: Int] = [:]
        for start in stride(from: 0, to: dialogue.count - 1, by: 2) {
            let (question, answer) = (dialogue[start].content, dialogue[start + 1].content)
            var fault = rules.fault(question: question, answer: answer, blocked)
            if fault == nil, let most = rules.maximumEqualAnswers, WordSequence(answer).count > 3 {
                answers[answer, default: 0] += 1
                if answers[answer, default: 0] > most {
                    fault = ("repeats", "the same answer stands more than \(most.counted("time"))")
                }
            }
            if fault == nil, let most = rules.maximumExchanges, start / 2 >= most {
                fault = ("turns", "the record has more than \(most.counted("exchange"))")
            }
            if let (rule, reason) = fault {
                removals.append(Removal(id: record.id, rule: rule, reason: reason, exchange: start / 2))
                carried += question.count(ofUTF8: Conversation.imageMarker)
                continue
            }
            // The markers of questions that went stand before the next one.
            let markers = carried > 0 ? String(repeating: Conversation.imageMarker + "\n", count: carried) : ""
            carried = 0
            kept.append(Turn(role: .user, content: markers + question))
            kept.append(Turn(role: .assistant, content: answer))
        }
        if carried > 0, let last = kept.lastIndex(where: { $0.role == .user }) {
            kept[last].content = String(repeating: Conversation.imageMarker + "\n", count: carried) + kept[last].content
        }
        return (kept, removals)
    }

    /// Lists of one entry an exchange lose the entries of those that went.
    private func dropLists(of record: inout InstructionRecord, _ gone: [Int]) {
        for key in ["tasks", "templates"] {
            guard let list = record.metadata[key]?.array else { continue }
            record.metadata[key] = .array(list.enumerated().filter { !gone.contains($0.offset) }.map(\.element))
        }
    }

    private func fault(of images: [ImageReference], _ ledger: PictureLedger) -> (String, String)? {
        guard rules.looksAtPictures else { return nil }
        for image in images {
            if let fault = fault(of: ledger[image], image) { return fault }
        }
        return nil
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
