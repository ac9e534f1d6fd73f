import Basics
import Tokenization

/// LLaVA's JSON or JSON lines, and OpenAI's `messages`: checked, repaired when lenient, written as JSON lines.
struct LLaVAConverter: DatasetConverter {
    static let kind = "llava"
    static let summary = "LLaVA or OpenAI-messages JSON/JSONL: checked, repaired with --lenient"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let dataset = try InstructionDataset(
            request.input, options: .init(imageFolder: request.images, lenient: request.lenient))
        sink.setImageRoot(dataset.imageFolder)
        for position in 0..<dataset.count {
            var repairs: [Repair] = []
            let record: InstructionRecord
            do {
                record = try dataset.unresolvedRecord(at: position, repairs: &repairs)
            } catch let error as RecordError {
                try sink.fault(path: error.path, line: error.line, error.reason, fix: error.fix)
                continue
            }
            for repair in repairs { try sink.repaired(path: dataset.path, line: dataset.line(at: position), repair) }
            let dialogue = Array(record.conversation.dialogue)
            let exchanges = stride(from: 0, to: dialogue.count - 1, by: 2).map { start in
                Exchange(question: request.asked(dialogue[start].content), answer: dialogue[start + 1].content)
            }
            let converted = ConvertedRecord(
                id: record.id, images: record.images, system: record.conversation.system, exchanges: exchanges,
                hasMarkers: true, metadata: record.metadata)
            try sink.emit(converted, path: dataset.path, line: dataset.line(at: position))
        }
    }
}
