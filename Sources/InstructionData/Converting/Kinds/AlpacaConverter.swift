import Basics

/// Alpaca: `[{"instruction", "input", "output"}]`, text only. An input follows its instruction after an empty line.
struct AlpacaConverter: DatasetConverter {
    static let kind = "alpaca"
    static let summary = "Alpaca's JSON or JSONL of instruction, input and output (text only)"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let entries = try JSONEntries(request.input, kind: "Alpaca's list of instruction, input and output")
        try entries.forEach(sink) { entry in
            let (instruction, output) = (try entry.text("instruction"), try entry.text("output"))
            let input = (entry.value["input"]?.string ?? "").trimmed
            let question = input.isEmpty ? instruction : instruction + "\n\n" + input
            let exchange = Exchange(
                question: request.asked(question), answer: output,
                fields: input.isEmpty ? [:] : ["instruction": .string(instruction), "input": .string(input)])
            let id = entry.value["id"]?.string ?? "alpaca-\(entry.position)"
            try sink.emit(
                ConvertedRecord(id: id, images: [], exchanges: [exchange]), path: entries.path,
                line: entries.line(at: entry.position))
        }
    }
}
