package import Basics
import Tokenization

/// Records in LLaVA's form, put down member by member.
extension JSONText {
    /// `{"id": …, "image": …, "conversations": [`
    mutating func beginRecord(_ id: String, images: [ImageReference]) {
        append(raw: "{\"id\":")
        append(string: id)
        if !images.isEmpty { append(raw: ",\"image\":") }
        append(images)
        append(raw: ",\"conversations\":[")
    }

    /// One picture as its path, several as a list; nothing for none.
    mutating func append(_ images: [ImageReference]) {
        if images.count == 1 { return append(string: images[0].description) }
        for (index, image) in images.enumerated() {
            append(raw: index == 0 ? "[" : ",")
            append(string: image.description)
        }
        if !images.isEmpty { append(raw: "]") }
    }

    /// A turn; the record's first has no comma before it.
    mutating func appendTurn(_ role: Role, _ content: String, isFirst: Bool) {
        if !isFirst { append(raw: ",") }
        switch role {
        case .system: append(raw: "{\"from\":\"system\",\"value\":")
        case .user: append(raw: "{\"from\":\"human\",\"value\":")
        case .assistant: append(raw: "{\"from\":\"gpt\",\"value\":")
        }
        append(string: content)
        append(raw: "}")
    }

    /// The end of the turns, whatever else the record holds, and its end.
    mutating func endRecord(_ metadata: JSONObject, hasImages: Bool) {
        append(raw: "]")
        for (key, value) in metadata where key != "id" && key != "conversations" && !(hasImages && key == "image") {
            append(raw: ",")
            append(string: key)
            append(raw: ":")
            append(value)
        }
        append(raw: "}")
    }
}

extension InstructionRecord {
    /// Adds the record in LLaVA's form, with pictures as they are referenced here.
    package func write(to text: inout JSONText) {
        text.beginRecord(id, images: images)
        for (index, turn) in conversation.turns.enumerated() {
            text.appendTurn(turn.role, turn.content, isFirst: index == 0)
        }
        text.endRecord(metadata, hasImages: !images.isEmpty)
    }

    /// The record in LLaVA's form, as one line of JSON.
    public var line: String {
        var text = JSONText()
        write(to: &text)
        return String(decoding: text.bytes, as: UTF8.self)
    }
}
