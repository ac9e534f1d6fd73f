import Basics
import Tokenization

/// Reads one JSON value as a record: LLaVA's form (`conversations`) or OpenAI's (`messages`), told apart by key.
public struct RecordReader: Sendable {
    /// Repair what can be repaired instead of refusing it.
    public var lenient: Bool
    /// Accept picture paths that are absolute or climb out of the picture folder with `..`.
    public var allowsOutsidePaths: Bool

    /// A strict reader by default.
    public init(lenient: Bool = false, allowsOutsidePaths: Bool = false) {
        self.lenient = lenient
        self.allowsOutsidePaths = allowsOutsidePaths
    }

    /// Reads a record from a value.
    /// - Parameters:
    ///   - value: a JSON object.
    ///   - defaultID: the id when the record has none.
    ///   - repairs: what a lenient reading changed.
    func record(
        from value: JSON, defaultID: String, repairs: inout [Repair]
    ) throws(RecordFault) -> InstructionRecord {
        guard let object = value.object else {
            throw RecordFault(
                "a record must be a JSON object, not \(value.kind)", fix: "write {\"id\": …, \"conversations\": [ … ]}")
        }
        let form: RecordForm
        if let turns = object["conversations"] {
            form = try LLaVAForm.read(object, turns: turns)
        } else if let messages = object["messages"] {
            form = try MessagesForm.read(object, messages: messages)
        } else {
            var fix = "a LLaVA record has \"conversations\", an OpenAI record \"messages\""
            if let near = Suggestion.nearest(to: "conversations", among: object.keys)
                ?? Suggestion.nearest(to: "messages", among: object.keys)
            {
                fix = "is \"\(near)\" meant as \"conversations\"? " + fix
            }
            throw RecordFault(
                "neither \"conversations\" nor \"messages\" is there (keys: \(object.keys.joined(separator: ", ")))",
                fix: fix)
        }
        for image in form.images { try check(path: image) }
        let turns = try ConversationRules(lenient: lenient)
            .apply(to: form.turns, imageCount: form.images.count, repairs: &repairs)
        return InstructionRecord(
            id: try identifier(object["id"] ?? object["question_id"], default: defaultID),
            images: form.images.map { ImageReference($0) },
            conversation: Conversation(turns),
            metadata: form.metadata)
    }

    private func identifier(_ value: JSON?, default fallback: String) throws(RecordFault) -> String {
        switch value {
        case nil, .null?: return fallback
        case .string(let text)?: return text.isEmpty ? fallback : text
        case .integer(let number)?: return String(number)
        case let other?:
            throw RecordFault("\"id\" must be a text or a whole number, not \(other.kind)", fix: "write \"id\": \"…\"")
        }
    }

    private func check(path: String) throws(RecordFault) {
        if let fault = Self.pathFault(path, allowsOutside: allowsOutsidePaths) { throw fault }
    }

    /// What is wrong with a picture's path: empty, not local, absolute, or leaving its folder; nil when nothing is.
    static func pathFault(_ path: String, allowsOutside: Bool = false) -> RecordFault? {
        if path.isEmpty {
            return RecordFault(
                "a picture's path is empty", fix: "name a file, or leave the key out for a text-only record")
        }
        if path.utf8.contains(0) { return RecordFault("a picture's path has a NUL byte", fix: "correct the path") }
        for scheme in ["http://", "https://", "s3://", "gs://", "data:"] where path.hasPrefix(scheme) {
            return RecordFault(
                "picture \"\(path.prefix(60))\" is not a local file",
                fix: "download the pictures first and refer to them by relative paths")
        }
        if allowsOutside { return nil }
        if path.hasPrefix("/") || path.hasPrefix("~") {
            return RecordFault(
                "picture path \"\(path)\" is absolute",
                fix: "write paths relative to the picture folder and name that folder with images: (or --images)")
        }
        var depth = 0
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual("..".utf8) { depth -= 1 } else if !part.elementsEqual(".".utf8) { depth += 1 }
            if depth < 0 {
                return RecordFault(
                    "picture path \"\(path)\" leaves the picture folder",
                    fix: "remove the \"..\" and name the right folder with images: (or --images)")
            }
        }
        return nil
    }
}

/// What both forms are read into, before the rules of a conversation are applied.
struct RecordForm {
    var images: [String]
    var turns: [Turn]
    var metadata: JSONObject
}

extension RecordForm {
    /// Reads `"image"` or `"images"`: a path or a list of paths; absent and null mean none.
    static func images(in object: JSONObject, keys: [String]) throws(RecordFault) -> [String] {
        for key in keys {
            switch object[key] {
            case nil, .null?: continue
            case .string(let path)?: return [path]
            case .array(let values)?:
                var paths: [String] = []
                for (index, value) in values.enumerated() {
                    if let path = value.string {
                        paths.append(path)
                    } else if let path = value.object?["path"]?.string {
                        paths.append(path)
                    } else {
                        throw RecordFault(
                            "\"\(key)\"[\(index)] must be a path, not \(value.kind)",
                            fix: "write \"\(key)\": [\"a.jpg\", \"b.jpg\"]")
                    }
                }
                return paths
            case let other?:
                throw RecordFault(
                    "\"\(key)\" must be a path or a list of paths, not \(other.kind)",
                    fix: "write \"\(key)\": \"folder/picture.jpg\"")
            }
        }
        return []
    }

    /// The keys of a record that a form does not use.
    static func rest(of object: JSONObject, without used: [String]) -> JSONObject {
        var rest = JSONObject()
        for (key, value) in object where !used.contains(key) { rest[key] = value }
        return rest
    }
}
