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

    /// Reads a record from a value on a tape.
    /// - Parameters:
    ///   - value: a JSON object.
    ///   - defaultID: the id when the record has none.
    ///   - keepsMetadata: whether members beside the conversation are read.
    ///   - repairs: what a lenient reading changed.
    func record(
        from value: JSONView, defaultID: @autoclosure () -> String, keepsMetadata: Bool = true, repairs: inout [Repair]
    ) throws(RecordFault) -> InstructionRecord {
        guard value.isObject else {
            throw RecordFault(
                "a record must be a JSON object, not \(value.kind)", fix: "write {\"id\": …, \"conversations\": [ … ]}")
        }
        let form: RecordForm
        if let turns = value["conversations"] {
            form = try LLaVAForm.read(value, turns: turns, keepsMetadata: keepsMetadata)
        } else if let messages = value["messages"] {
            form = try MessagesForm.read(value, messages: messages, keepsMetadata: keepsMetadata)
        } else {
            throw Self.unknownForm(value.keys)
        }
        for image in form.images { try check(path: image) }
        let turns = try ConversationRules(lenient: lenient)
            .apply(to: form.turns, imageCount: form.images.count, repairs: &repairs)
        return InstructionRecord(
            id: try identifier(value["id"] ?? value["question_id"]) ?? defaultID(),
            images: form.images.map { ImageReference($0) },
            conversation: Conversation(turns),
            metadata: form.metadata)
    }

    /// Reads a record from a value that is not on a tape.
    func record(
        from value: JSON, defaultID: String, repairs: inout [Repair]
    ) throws(RecordFault) -> InstructionRecord {
        let tape = JSONTape()
        var found: [Repair] = []
        let result = value.serializedBytes().withUnsafeBytes { bytes -> Result<InstructionRecord, RecordFault> in
            do throws(JSONError) { try tape.read(bytes) } catch { return .failure(RecordFault(error.reason)) }
            return tape.withRoot { root in
                Result { () throws(RecordFault) in
                    try record(from: root, defaultID: defaultID, repairs: &found)
                }
            }
        }
        repairs += found
        return try result.get()
    }

    private static func unknownForm(_ keys: [String]) -> RecordFault {
        var fix = "a LLaVA record has \"conversations\", an OpenAI record \"messages\""
        if let near = Suggestion.nearest(to: "conversations", among: keys)
            ?? Suggestion.nearest(to: "messages", among: keys)
        {
            fix = "is \"\(near)\" meant as \"conversations\"? " + fix
        }
        return RecordFault(
            "neither \"conversations\" nor \"messages\" is there (keys: \(keys.joined(separator: ", ")))", fix: fix)
    }

    private func identifier(_ value: JSONView?) throws(RecordFault) -> String? {
        guard let value, !value.isNull else { return nil }
        if let text = value.string { return text.isEmpty ? nil : text }
        if let digits = value.json.digits { return digits }
        throw RecordFault("\"id\" must be a text or a whole number, not \(value.kind)", fix: "write \"id\": \"…\"")
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
        if path.utf8.contains(UInt8(ascii: ":")), isRemote(path) {
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
        guard path.utf8.firstOffset(of: "..".utf8) != nil else { return nil }
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

    private static func isRemote(_ path: String) -> Bool {
        ["http://", "https://", "s3://", "gs://", "data:"].contains { path.hasPrefix($0) }
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
    static func images(in object: JSONView, _ keys: StaticString...) throws(RecordFault) -> [String] {
        for key in keys {
            guard let found = object[key], !found.isNull else { continue }
            if let path = found.string { return [path] }
            guard let values = found.array else {
                throw RecordFault(
                    "\"\(key)\" must be a path or a list of paths, not \(found.kind)",
                    fix: "write \"\(key)\": \"folder/picture.jpg\"")
            }
            var paths: [String] = []
            for (index, value) in values.enumerated() {
                guard let path = value.string ?? value["path"]?.string else {
                    throw RecordFault(
                        "\"\(key)\"[\(index)] must be a path, not \(value.kind)",
                        fix: "write \"\(key)\": [\"a.jpg\", \"b.jpg\"]")
                }
                paths.append(path)
            }
            return paths
        }
        return []
    }

    /// The keys of a record that a form does not use.
    static func rest(of object: JSONView, without used: StaticString...) -> JSONObject {
        var rest = JSONObject()
        for (key, value) in object.members where !used.contains(where: { key.isText($0) }) {
            rest[key.string ?? ""] = value.json
        }
        return rest
    }
}
