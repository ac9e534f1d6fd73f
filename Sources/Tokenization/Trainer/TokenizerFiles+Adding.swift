import Basics

extension TokenizerFiles {
    /// The files of a tokenizer with special tokens entered that it was opened with.
    ///
    /// - Parameters:
    ///   - files: `tokenizer.json` or `tokenizer.model`, and `tokenizer_config.json`, as they were read.
    ///   - tokens: tokens and their ids; those that a file lists already stay as they are.
    /// - Throws: a JSON error naming the file.
    public static func entering(
        _ tokens: [(token: String, id: Int32)], into files: [(name: String, bytes: [UInt8])]
    ) throws -> [(name: String, bytes: [UInt8])] {
        guard !tokens.isEmpty else { return files }
        return try files.map { file in
            guard file.name == "tokenizer.json" || file.name == "tokenizer_config.json",
                var object = try JSON.parse(file.bytes, source: file.name).object
            else { return file }
            if file.name == "tokenizer.json" {
                var list = object["added_tokens"]?.array ?? []
                let known = list.compactMap { $0["content"]?.string }
                for (token, id) in tokens where !known.contains(token) {
                    list.append(addedToken(token, id: Int(id)))
                }
                object["added_tokens"] = .array(list)
            } else {
                var decoder = object["added_tokens_decoder"]?.object ?? [:]
                for (token, id) in tokens where decoder[String(id)] == nil {
                    var entry = addedToken(token, id: Int(id)).object ?? [:]
                    entry["id"] = nil
                    decoder[String(id)] = .object(entry)
                }
                object["added_tokens_decoder"] = .object(decoder)
            }
            return (file.name, Array((JSON.object(object).serialized(pretty: true) + "\n").utf8))
        }
    }
}
