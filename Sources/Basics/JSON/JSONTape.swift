/// The values of one JSON text as a flat list of their places in its bytes.
///
/// Every reader of JSON begins here: ``JSON`` is built from a tape, and readers of many records look at the tape itself
/// through ``JSONView``, so that a record costs no memory but the texts that are used of it. All rules of RFC 8259 are
/// checked while the tape is made, escapes and UTF-8 included. A tape is used again for the next text; it belongs to one
/// thread.
public final class JSONTape {
    /// A value, or a key of an object: 16 bytes.
    @usableFromInline struct Token {
        /// First byte of the value; of a text, the byte behind its quote.
        var start: UInt32
        /// Bytes of the value; of a text, those between its quotes.
        var count: UInt32
        /// The token behind this value and all that it holds.
        var next: UInt32
        var kind: Kind
        /// Whether a text holds escapes.
        var isEscaped = false
    }

    @usableFromInline enum Kind: UInt8 { case null, yes, no, number, string, array, object }

    @usableFromInline private(set) var tokens: ContiguousArray<Token> = []
    @usableFromInline private(set) var bytes = UnsafeRawBufferPointer(start: nil, count: 0)

    /// An empty tape.
    public init() {}

    /// Reads a text, in place of the one before.
    ///
    /// The bytes must stay where they are as long as views of this text are used.
    /// - Throws: ``JSONError`` with line, column and byte offset.
    public func read(
        _ bytes: UnsafeRawBufferPointer, source: String = "JSON text", limits: JSONLimits = JSONLimits()
    ) throws(JSONError) {
        self.bytes = bytes
        tokens.removeAll(keepingCapacity: true)
        var parser = JSONParser(bytes, source: source, limits: limits)
        swap(&parser.tokens, &tokens)
        let failure: JSONError?
        do throws(JSONError) {
            try parser.parseDocument()
            failure = nil
        } catch {
            failure = error
        }
        swap(&parser.tokens, &tokens)
        if let failure {
            tokens.removeAll(keepingCapacity: true)
            throw failure
        }
    }

    /// Lends the outermost value of the text that was read last.
    @inlinable
    public func withRoot<Result, Failure: Error>(
        _ body: (JSONView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(!tokens.isEmpty, "no text was read")
        let bytes = bytes
        return try tokens.withUnsafeBufferPointer { tokens throws(Failure) in
            try body(JSONView(tokens: tokens.baseAddress!, bytes: bytes, index: 0))
        }
    }
}
