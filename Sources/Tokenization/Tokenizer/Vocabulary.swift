import Basics

/// Token strings by id and ids by string.
struct Vocabulary: Sendable {
    /// The string of each id; nil where an id is not used.
    private(set) var tokens: [String?] = []
    private(set) var ids = TokenIDs()

    /// The largest id that a file may use: more would be a damaged file, and ids index arrays.
    static let largestID = 16_777_215

    init() {}

    /// Reads the `vocab` object of a model: token to id.
    init(_ reader: StageReader, _ key: String) throws {
        guard let object = reader[key]?.object else { throw reader.failure(key, "expected an object of token: id") }
        tokens = Array(repeating: nil, count: object.count)
        ids.reserveCapacity(object.count)
        for (token, value) in object {
            guard let id = value.int else { throw reader.failure(key, "the id of \"\(token)\" is not a whole number") }
            // A vocabulary may have a few holes, but one of millions would be a damaged file.
            guard id >= 0, id < 2 * object.count + 65_536, id <= Self.largestID else {
                throw reader.failure(key, "the id \(id) of \"\(token)\" is out of range")
            }
            if let other = self.token(Int32(id)) {
                throw reader.failure(key, "\"\(other)\" and \"\(token)\" have the same id \(id)")
            }
            insert(token, Int32(id))
        }
    }

    /// Number of ids, unused ones below the largest included.
    var count: Int { tokens.count }

    func token(_ id: Int32) -> String? { id >= 0 && Int(id) < tokens.count ? tokens[Int(id)] : nil }

    /// Gives an id to a token; the caller has checked the range.
    mutating func insert(_ token: String, _ id: Int32) {
        while tokens.count <= Int(id) { tokens.append(nil) }
        tokens[Int(id)] = token
        ids[token] = id
    }

    /// The vocabulary with added tokens.
    ///
    /// - Throws: `TokenizerProblem` when an id is taken by another token or far beyond the others.
    func adding(_ tokens: [AddedToken], source: String) throws -> Vocabulary {
        var result = self
        let limit = count + tokens.count + 65_536
        for token in tokens {
            if let other = result.token(token.id), other != token.content {
                throw TokenizerProblem(
                    source, "added_tokens", "\"\(token.content)\" has the id \(token.id) of \"\(other)\"",
                    fix: "the file is damaged: get it again")
            }
            guard Int(token.id) < limit else {
                throw TokenizerProblem(
                    source, "added_tokens",
                    "\"\(token.content)\" has the id \(token.id), far beyond the vocabulary of \(count)")
            }
            result.insert(token.content, token.id)
        }
        return result
    }
}
