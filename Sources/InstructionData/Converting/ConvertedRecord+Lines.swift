public import Basics
import Tokenization

extension ConvertedRecord {
    private var imageValue: JSON? {
        switch images.count {
        case 0: nil
        case 1: .string(images[0].description)
        default: .array(images.map { .string($0.description) })
        }
    }

    /// The record in LLaVA's form.
    public var llava: JSON {
        var turns: [JSON] = system.map { [["from": "system", "value": .string($0)]] } ?? []
        for (index, exchange) in exchanges.enumerated() {
            let markers = index == 0 && !hasMarkers ? String(repeating: "<image>\n", count: images.count) : ""
            turns.append(["from": "human", "value": .string(markers + exchange.question)])
            turns.append(["from": "gpt", "value": .string(exchange.answer)])
        }
        var object: JSONObject = ["id": .string(id)]
        object["image"] = imageValue
        object["conversations"] = .array(turns)
        for (key, value) in metadata where object[key] == nil { object[key] = value }
        return .object(object)
    }

    /// The record's lines in an evaluation file, one a question: `{"id", "image", "question", "answers"}`.
    public var evaluationLines: [JSON] {
        guard isEvaluated else { return [] }
        return exchanges.enumerated().map { index, exchange in
            let fallback = exchanges.count == 1 ? id : "\(id)-\(index)"
            var object: JSONObject = ["id": .string(exchange.id ?? fallback)]
            object["image"] = imageValue
            let marker = Conversation.imageMarker
            let question = exchange.question.replacing(utf8: marker + "\n", with: "").replacing(utf8: marker, with: "")
            object["question"] = .string(question.trimmed)
            object["answers"] = .array(exchange.references.map { .string($0) })
            return .object(object)
        }
    }
}
