import Basics
import Tokenization

/// OpenAI's records: `{"messages": [{"role", "content": text | [parts]}], "images": [paths]}`.
///
/// A part is `{"type": "text", "text"}`, `{"type": "image"}` (the next of `images`, or its own `image`/`path`), or
/// `{"type": "image_url", "image_url": {"url"}}`. Parts are joined by line ends; a picture becomes its marker.
enum MessagesForm {
    static func read(_ object: JSONView, messages: JSONView, keepsMetadata: Bool) throws(RecordFault) -> RecordForm {
        guard let entries = messages.array else {
            throw RecordFault(
                "\"messages\" must be a list, not \(messages.kind)",
                fix:
                    "write \"messages\": [{\"role\": \"user\", \"content\": …}, {\"role\": \"assistant\", \"content\": …}]"
            )
        }
        var pictures = Pictures(listed: try RecordForm.images(in: object, "images", "image"))
        var result: [Turn] = []
        for (index, turn) in entries.enumerated() {
            let place = "messages[\(index)]"
            guard turn.isObject else {
                throw RecordFault(
                    "\(place) must be an object, not \(turn.kind)", fix: "write {\"role\": \"user\", \"content\": …}")
            }
            guard let name = turn["role"]?.string else {
                throw RecordFault(
                    "\(place) has no text \"role\"", fix: "write \"role\": \"user\" or \"role\": \"assistant\"")
            }
            guard let content = turn["content"] else {
                throw RecordFault("\(place) has no \"content\"", fix: "write \"content\": \"…\"")
            }
            let role = try role(name, place: place)
            result.append(Turn(role: role, content: try text(of: content, place: place, pictures: &pictures)))
        }
        return RecordForm(
            images: try pictures.inOrder(),
            turns: result,
            metadata: keepsMetadata
                ? RecordForm.rest(of: object, without: "id", "image", "images", "messages") : JSONObject())
    }

    private static func role(_ name: String, place: String) throws(RecordFault) -> Role {
        switch name {
        case "user": return .user
        case "assistant": return .assistant
        case "system", "developer": return .system
        default:
            throw RecordFault(
                "\(place): unknown role \"\(name)\"",
                fix: Suggestion.fix(for: name, among: ["user", "assistant", "system", "developer"]))
        }
    }

    private static func text(
        of content: JSONView, place: String, pictures: inout Pictures
    ) throws(RecordFault) -> String {
        if let text = content.string {
            for _ in 0..<text.count(ofUTF8: Conversation.imageMarker) { pictures.takeListed() }
            return text
        }
        guard let parts = content.array else {
            throw RecordFault(
                "\(place): \"content\" must be a text or a list of parts, not \(content.kind)",
                fix: "write \"content\": [{\"type\": \"text\", \"text\": …}]")
        }
        var texts: [String] = []
        for (index, part) in parts.enumerated() {
            let place = "\(place).content[\(index)]"
            guard let type = part["type"]?.string else {
                throw RecordFault(
                    "\(place) has no text \"type\"",
                    fix: "write {\"type\": \"text\", \"text\": …} or {\"type\": \"image\"}")
            }
            switch type {
            case "text", "input_text", "output_text":
                guard let text = part["text"]?.string else {
                    throw RecordFault("\(place) has no \"text\"", fix: "write {\"type\": \"text\", \"text\": \"…\"}")
                }
                for _ in 0..<text.count(ofUTF8: Conversation.imageMarker) { pictures.takeListed() }
                texts.append(text)
            case "image", "image_url", "input_image":
                texts.append(Conversation.imageMarker)
                if let path = path(in: part) { pictures.take(path) } else { pictures.takeListed() }
            default:
                throw RecordFault("\(place): unknown part type \"\(type)\"", fix: "known: text, image, image_url")
            }
        }
        return texts.joined(separator: "\n")
    }

    private static func path(in part: JSONView) -> String? {
        let keys: [StaticString] = ["image", "path", "url", "image_url"]
        for key in keys {
            guard let value = part[key] else { continue }
            let text = value.string ?? value["url"]?.string ?? value["path"]?.string
            if let text { return text.hasPrefix("file://") ? String(text.dropFirst(7)) : text }
        }
        return nil
    }

    /// Pictures named in parts, and those listed beside the messages, brought into the order of their markers.
    private struct Pictures {
        var listed: [String]
        private var taken: [String?] = []

        init(listed: [String]) { self.listed = listed }

        mutating func take(_ path: String) { taken.append(path) }
        mutating func takeListed() { taken.append(nil) }

        /// Own paths where they stand; the listed ones fill the other places, and what is left of them follows.
        func inOrder() throws(RecordFault) -> [String] {
            let places = taken.filter { $0 == nil }.count
            // Parts that name every picture, with the same list given again beside them, mean one set.
            if places == 0, taken.compactMap({ $0 }) == listed { return listed }
            var rest = listed[...]
            var result: [String] = []
            for path in taken {
                if let path { result.append(path) } else if let next = rest.popFirst() { result.append(next) }
            }
            return result + rest
        }
    }
}
