import Basics

extension Prediction {
    /// Reads a predictions file: one JSON object a line with `prediction` and `references`, and optionally `id`,
    /// `question`, `kind` and `image`; other fields are left alone.
    /// - Throws: A problem naming the path and the line, or that the file holds no predictions.
    public static func read(_ path: String) throws -> [Prediction] {
        let file = try MappedFile.text(path)
        return try parse(file.bytes, source: path)
    }

    /// Reads predictions from the bytes of a JSONL file; `source` names it in messages.
    package static func parse(_ bytes: UnsafeRawBufferPointer, source: String) throws -> [Prediction] {
        let predictions = try JSONScanner.lines(of: bytes).map { line in
            let place = "\(source):\(line.number)"
            let value: JSON
            do throws(JSONError) {
                value = try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[line.range]), source: source)
            } catch {
                throw UserError(
                    "\(place):\(error.column): \(error.reason)",
                    fix: "write one JSON object a line: {\"prediction\": \"…\", \"references\": [\"…\"]}")
            }
            return try Prediction(value, place: place, number: line.number)
        }
        guard !predictions.isEmpty else {
            throw UserError("\(source) holds no predictions", fix: "write one JSON object a line")
        }
        return predictions
    }

    /// Checks one line's value; `place` is `path:line`.
    init(_ value: JSON, place: String, number: Int) throws {
        guard let object = value.object else {
            throw UserError(
                "\(place): expected an object, found \(value.kind)",
                fix: "write {\"prediction\": \"…\", \"references\": [\"…\"]}")
        }
        prediction = try Self.requiredText("prediction", of: object, place: place)
        references = try Self.references(of: object, place: place)
        question = try Self.text("question", of: object, place: place)
        kind = try Self.text("kind", of: object, place: place)
        image = try Self.text("image", of: object, place: place)
        if let identifier = object["id"]?.int {
            id = String(identifier)
        } else {
            id = try Self.text("id", of: object, place: place) ?? String(number)
        }
    }

    /// `references` (a list, or one text) or `reference` (one text); at least one.
    private static func references(of object: JSONObject, place: String) throws -> [String] {
        if object["references"] == nil, object["reference"] != nil {
            return [try requiredText("reference", of: object, place: place)]
        }
        guard let list = object["references"]?.array else {
            return [try requiredText("references", of: object, place: place)]
        }
        guard !list.isEmpty else {
            throw UserError("\(place): references is empty", fix: "give at least one right answer")
        }
        return try list.enumerated().map { index, value in
            if let text = value.string { return text }
            throw UserError("\(place): references[\(index)] is \(value.kind), not text", fix: "put it in quotes")
        }
    }

    private static func requiredText(_ key: String, of object: JSONObject, place: String) throws -> String {
        if let text = try text(key, of: object, place: place) { return text }
        let hint = Suggestion.phrase(for: key, among: object.keys)
        throw UserError("\(place): no \(key)\(hint)", fix: "each line needs prediction and references")
    }

    private static func text(_ key: String, of object: JSONObject, place: String) throws -> String? {
        guard let value = object[key], !value.isNull else { return nil }
        if let text = value.string { return text }
        throw UserError("\(place): \(key) is \(value.kind), not text", fix: "put it in quotes")
    }
}
