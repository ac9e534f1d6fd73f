import Basics
import Tokenization

/// LLaVA's JSON or JSON lines, and OpenAI's `messages`: checked, repaired when lenient, written as JSON lines.
struct LLaVAConverter: DatasetConverter {
    static let kind = "llava"
    static let aliases = ["messages", "openai"]
    static let summary = "LLaVA or OpenAI-messages JSON/JSONL: checked, repaired with --lenient"

    /// The task of records of one exchange that name none.
    var captionTask: String?

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let dataset = try InstructionDataset(
            request.input, options: .init(imageFolder: request.images, lenient: request.lenient))
        sink.setImageRoot(dataset.imageFolder)
        sink.selectsPart = true
        sink.count = dataset.count
        let (converter, prepare) = (self, sink.preparation)
        var pass = DatasetPass(dataset, shard: request.shard)
        pass.start = sink.start
        try pass.run { positions, tape in
            var piece = Piece()
            for position in positions { converter.read(position, of: dataset, request, tape, prepare, into: &piece) }
            return piece
        } consume: { done, piece in
            for (position, outcome) in piece.outcomes {
                try tell(outcome, of: dataset, at: position, to: sink)
            }
            try sink.emit(piece.lines, done: done)
        }
    }

    /// What is made of some records: their lines, and whatever has to be told or done in order.
    private struct Piece: Sendable {
        var lines = PreparedRecords()
        var outcomes: [(position: Int, outcome: Outcome)] = []
    }

    private enum Outcome: Sendable {
        case repaired(Repair)
        case fault(line: Int?, reason: String, fix: String?)
        case record(ConvertedRecord)
    }

    private func read(
        _ position: Int, of dataset: InstructionDataset, _ request: ConversionRequest, _ tape: JSONTape,
        _ prepare: ConversionSink.Preparation?, into piece: inout Piece
    ) {
        var repairs: [Repair] = []
        do {
            let record = try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape)
            for repair in repairs { piece.outcomes.append((position, .repaired(repair))) }
            let converted = converted(record, request)
            guard let prepare else { return piece.outcomes.append((position, .record(converted))) }
            for fault in prepare(converted, &piece.lines) {
                piece.outcomes.append((position, .fault(line: nil, reason: fault.reason, fix: fault.fix)))
            }
        } catch {
            let known = error as? RecordError
            piece.outcomes.append(
                (position, .fault(line: known?.line, reason: known?.reason ?? "\(error)", fix: known?.fix)))
        }
    }

    private func tell(
        _ outcome: Outcome, of dataset: InstructionDataset, at position: Int, to sink: ConversionSink
    ) throws {
        switch outcome {
        case .repaired(let repair): try sink.repaired(path: dataset.path, line: dataset.line(at: position), repair)
        case .fault(let line, let reason, let fix):
            try sink.fault(path: dataset.path, line: line ?? dataset.line(at: position), reason, fix: fix)
        case .record(let record): try sink.emit(record, path: dataset.path, line: dataset.line(at: position))
        }
    }

    private func converted(_ record: InstructionRecord, _ request: ConversionRequest) -> ConvertedRecord {
        var converted = ConvertedRecord(record)
        if let captionTask, converted.exchanges.count == 1, converted.exchanges[0].task == nil {
            converted.exchanges[0].task = captionTask
        }
        for index in converted.exchanges.indices {
            converted.exchanges[index].question = request.asked(converted.exchanges[index].question)
        }
        return converted
    }
}
