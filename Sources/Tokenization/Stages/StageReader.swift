import Basics

/// One JSON object of `tokenizer.json` with its place, for strict reading with errors that say where.
struct StageReader {
    let source: String
    let place: String
    let object: JSONObject

    init(_ json: JSON, source: String, place: String) throws {
        guard let object = json.object else { throw TokenizerProblem(source, place, "expected an object") }
        self.source = source
        self.place = place
        self.object = object
    }

    func failure(_ key: String, _ reason: String, fix: String? = nil) -> TokenizerProblem {
        TokenizerProblem(source, place.isEmpty ? key : "\(place).\(key)", reason, fix: fix)
    }

    /// An optional member; JSON null counts as absent.
    subscript(_ key: String) -> JSON? {
        guard let value = object[key], value != .null else { return nil }
        return value
    }

    func type() throws -> String { try string("type") }

    func string(_ key: String) throws -> String {
        guard let value = self[key] else { throw failure(key, "is missing") }
        guard let string = value.string else { throw failure(key, "expected a string") }
        return string
    }

    func optionalString(_ key: String) throws -> String? { self[key] == nil ? nil : try string(key) }

    func bool(_ key: String, default fallback: Bool) throws -> Bool {
        guard let value = self[key] else { return fallback }
        guard let bool = value.bool else { throw failure(key, "expected true or false") }
        return bool
    }

    func int(_ key: String, default fallback: Int? = nil) throws -> Int {
        guard let value = self[key] else {
            if let fallback { return fallback }
            throw failure(key, "is missing")
        }
        guard let int = value.int else { throw failure(key, "expected a whole number") }
        return int
    }

    func array(_ key: String) throws -> [JSON] {
        guard let value = self[key] else { throw failure(key, "is missing") }
        guard let array = value.array else { throw failure(key, "expected an array") }
        return array
    }

    /// The members of an array of objects, each with its place.
    func readers(_ key: String) throws -> [StageReader] {
        try array(key).enumerated().map { try StageReader($1, source: source, place: path("\(key)[\($0)]")) }
    }

    func reader(_ key: String) throws -> StageReader? {
        try self[key].map { try StageReader($0, source: source, place: path(key)) }
    }

    func path(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

    /// A type that this project does not know.
    func unsupported(_ type: String, _ kind: String) -> TokenizerProblem {
        failure("type", "\(kind) \"\(type)\" is not supported", fix: "use a tokenizer without it, or report this model")
    }
}
