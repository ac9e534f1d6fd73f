extension JSON {
    /// The value as JSON text.
    ///
    /// Doubles are written with the fewest digits that read back to the same value; NaN and infinities, which JSON
    /// does not have, as null.
    /// - Parameters:
    ///   - pretty: Two spaces a level and one member a line, as Python's `indent=2`.
    ///   - sortedKeys: Members in the order of their keys' bytes instead of their own.
    public func serialized(pretty: Bool = false, sortedKeys: Bool = false) -> String {
        String(decoding: serializedBytes(pretty: pretty, sortedKeys: sortedKeys), as: UTF8.self)
    }

    /// The value as UTF-8 bytes; see ``serialized(pretty:sortedKeys:)``.
    public func serializedBytes(pretty: Bool = false, sortedKeys: Bool = false) -> [UInt8] {
        var text = JSONText(pretty: pretty, sortedKeys: sortedKeys)
        text.append(self)
        return text.bytes
    }
}
