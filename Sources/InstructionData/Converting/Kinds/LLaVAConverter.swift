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
        // Parsing is the work here: pieces are read side by side, and emitted in order.
        let round = Self.piece * Parallel.processors * 4
        for start in stride(from: 0, to: dataset.count, by: round) {
            let end = min(dataset.count, start + round)
            let pieces = stride(from: start, to: end, by: Self.piece).map { $0..<min(end, $0 + Self.piece) }
            for read in try Parallel.map(pieces, { $0.map { Read(dataset, $0) } }) {
                for one in read { try emit(one, of: dataset, request, into: sink) }
            }
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
        var converted = ConvertedRecord(record)
        if let captionTask, converted.exchanges.count == 1, converted.exchanges[0].task == nil {
            converted.exchanges[0].task = captionTask
        }
        for index in converted.exchanges.indices {
            converted.exchanges[index].question = request.asked(converted.exchanges[index].question)
        }
        try sink.emit(converted, path: dataset.path, line: dataset.line(at: read.position))
    }
}
