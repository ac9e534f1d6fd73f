import Basics

/// What a command has written: a sentence for people on standard error, or one JSON object for scripts on standard output.
enum Written {
    /// - Throws: an error when a path, where a command writes a folder of its own, is empty or something is there.
    static func requireNew(_ folder: String) throws {
        try Files.requireName(folder)
        guard !Files.exists(folder) else {
            throw UserError("\(folder): something is there already", fix: "name another folder with --output")
        }
    }

    /// - Parameters:
    ///   - kind: what the folder is: `model`, `adapter` or `tokenizer`.
    ///   - facts: what else a script may want, after the folder, its files and their bytes.
    static func folder(
        _ folder: String, _ kind: String, json: Bool, _ message: String, facts: JSONObject = [:]
    ) throws {
        guard json else { return Console.error(message) }
        let files = try contents(of: folder)
        let bytes = try files.reduce(0) { $0 + (try Files.size(Paths.join(folder, $1))) }
        var object: JSONObject = [
            kind: .string(folder), "files": .array(files.map { .string($0) }), "bytes": .int(bytes),
        ]
        for (key, value) in facts { object[key] = value }
        Console.out(JSON.object(object).serialized())
    }

    /// Says why a part of a whole has written nothing.
    static func tellEmptyPart(_ shard: String) {
        Console.error("Part \(shard) is empty: the other parts hold all records.")
    }

    /// Files below a folder, as paths from there.
    private static func contents(of folder: String) throws -> [String] {
        try Files.list(folder).flatMap { name in
            let path = Paths.join(folder, name)
            guard Files.isDirectory(path) else { return [name] }
            return try contents(of: path).map { Paths.join(name, $0) }
        }
    }
}
