extension JSON {
    /// Parses one JSON text (RFC 8259) strictly.
    ///
    /// Duplicate keys, nesting deeper than the limit, invalid UTF-8, unpaired surrogates, control characters in
    /// strings, numbers beyond a double and anything after the value are errors. A byte order mark is skipped.
    /// - Parameter source: The file's name, or what else the text comes from, for messages.
    /// - Throws: ``JSONError`` with line, column and byte offset.
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, source: String = "JSON text", limits: JSONLimits = JSONLimits()
    ) throws(JSONError) -> JSON {
        let tape = JSONTape()
        try tape.read(bytes, source: source, limits: limits)
        return tape.withRoot { $0.json }
    }

    /// Parses one JSON text held in an array.
    public static func parse(
        _ bytes: [UInt8], source: String = "JSON text", limits: JSONLimits = JSONLimits()
    ) throws(JSONError) -> JSON {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(JSONError) in try parse(buffer, source: source, limits: limits) }
        }
        return try result.get()
    }

    /// Parses one JSON text held in a string.
    public static func parse(
        _ text: String, source: String = "JSON text", limits: JSONLimits = JSONLimits()
    ) throws(JSONError) -> JSON {
        var text = text
        let result = text.withUTF8 { buffer in
            Result { () throws(JSONError) in
                try parse(UnsafeRawBufferPointer(buffer), source: source, limits: limits)
            }
        }
        return try result.get()
    }

    /// Parses a line of a file of JSON lines; messages name the file and the line's number in it.
    public static func parse(_ text: some StringProtocol, line: Int, of path: String) throws(JSONError) -> JSON {
        do { return try parse(String(text), source: path) } catch { throw error.inLine(line) }
    }

    /// Reads and parses a file; messages name its path.
    /// - Throws: ``JSONError``, or a problem of the file system.
    public static func read(_ path: String, limits: JSONLimits = JSONLimits()) throws -> JSON {
        let file = try MappedFile.text(path)
        return try parse(file.bytes, source: path, limits: limits)
    }
}
