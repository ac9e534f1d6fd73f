import Basics
import Tokenization

extension ConvertedRecord {
    /// Adds the record in LLaVA's form.
    func write(to text: inout JSONText) {
        text.beginRecord(id, images: images)
        if let system { text.appendTurn(.system, system, isFirst: true) }
        for (index, exchange) in exchanges.enumerated() {
            let isFirst = index == 0
            let markers = isFirst && !hasMarkers ? String(repeating: "<image>\n", count: images.count) : ""
            text.appendTurn(.user, markers + exchange.question, isFirst: isFirst && system == nil)
            text.appendTurn(.assistant, exchange.answer, isFirst: false)
        }
        text.endRecord(metadata, hasImages: !images.isEmpty)
    }

    /// The record in LLaVA's form, as one line of JSON.
    var line: String {
        var text = JSONText()
        write(to: &text)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    /// Adds the record's lines in an evaluation file, one a question: `{"id", "image", "question", "answers"}`.
    func writeQuestions(to text: inout JSONText) {
        guard isEvaluated else { return }
        for (index, exchange) in exchanges.enumerated() {
            text.append(raw: "{\"id\":")
            text.append(string: exchange.id ?? (exchanges.count == 1 ? id : "\(id)-\(index)"))
            if !images.isEmpty { text.append(raw: ",\"image\":") }
            text.append(images)
            text.append(raw: ",\"question\":")
            text.append(string: exchange.question.withoutMarkers.trimmed)
            text.append(raw: ",\"answers\":")
            text.append(.array(exchange.references.map { .string($0) }))
            text.append(raw: "}")
            text.endLine()
        }
    }
}
