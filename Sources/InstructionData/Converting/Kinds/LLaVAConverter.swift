import Basics
import Tokenization

/// LLaVA's JSON or JSON lines, and OpenAI's `messages`: checked, repaired when lenient, written as JSON lines.
struct LLaVAConverter: DatasetConverter {
    static let kind = "llava"
    static let aliases = ["messages", "openai"]
    static let summary = "LLaVA or OpenAI-messages JSON/JSONL: checked, repaired with --lenient"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let dataset = try InstructionDataset(
            request.input, options: .init(imageFolder: request.images, lenient: request.lenient))
        sink.setImageRoot(dataset.imageFolder)
        let positions = (0..<dataset.count).filter { position in
            request.shard.map { position % $0.count == $0.index } ?? true
        }
        sink.selectsPart = true
        // Pieces are read and made into lines side by side, and emitted in order.
        let prepare = sink.preparation
        let round = Self.piece * Parallel.processors * 4
        for start in stride(from: 0, to: positions.count, by: round) {
            let end = min(positions.count, start + round)
            let pieces = stride(from: start, to: end, by: Self.piece).map { $0..<min(end, $0 + Self.piece) }
            let parts = try Parallel.map(pieces) { piece in
                piece.map { index in
                    var read = Read(dataset, positions[index])
                    if let prepare, let record = try? read.result.get() {
                        read.prepared = prepare(converted(record, request))
                    }
                    return read
                }
            }
            for part in parts { for one in part { try emit(one, of: dataset, request, into: sink) } }
        }
    }

    private static let piece = 256

    /// The task of records of one exchange that name none.
    var captionTask: String?

    /// A record or its fault, and what a lenient reading changed.
    private struct Read: Sendable {
        var position: Int
        var result: Result<InstructionRecord, any Error>
        var repairs: [Repair] = []
        var prepared: PreparedRecord?

        init(_ dataset: InstructionDataset, _ position: Int) {
            self.position = position
            var repairs: [Repair] = []
            result = Result { try dataset.unresolvedRecord(at: position, repairs: &repairs) }
            self.repairs = repairs
        }
    }

    private func emit(
        _ read: Read, of dataset: InstructionDataset, _ request: ConversionRequest, into sink: ConversionSink
    ) throws {
        let record: InstructionRecord
        do {
            record = try read.result.get()
        } catch let error as RecordError {
            return try sink.fault(path: error.path, line: error.line, error.reason, fix: error.fix)
        }
        for repair in read.repairs {
            try sink.repaired(path: dataset.path, line: dataset.line(at: read.position), repair)
        }
        let line = { dataset.line(at: read.position) }
        if let prepared = read.prepared { return try sink.emit(prepared, path: dataset.path, line: line()) }
        try sink.emit(converted(record, request), path: dataset.path, line: line())
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
