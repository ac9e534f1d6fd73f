/// A fault in a JSON text, with the place where it was noticed.
public struct JSONError: Problem, Equatable {
    /// The file or other origin of the text, as given to the parser.
    public let source: String
    /// Line, counted from 1.
    public private(set) var line: Int
    /// Character of the line, counted from 1.
    public let column: Int
    /// Byte offset from the start of the text.
    public let offset: Int
    /// What is wrong there.
    public let reason: String
    /// What the user can do about it, where that is known.
    public let fix: String?

    /// `source:line:column: reason`.
    public var problem: String { "\(source):\(line):\(column): \(reason)" }

    /// An error at byte `offset` of `bytes`; line and column are counted here, off the fast path.
    init(_ reason: String, fix: String?, source: String, offset: Int, in bytes: UnsafeRawBufferPointer) {
        var line = 1
        var lineStart = 0
        let end = min(offset, bytes.count)
        for position in 0..<end where bytes[position] == UInt8(ascii: "\n") {
            line += 1
            lineStart = position + 1
        }
        self.source = source
        self.line = line
        column = 1 + bytes[lineStart..<end].reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
        self.offset = offset
        self.reason = reason
        self.fix = fix ?? "correct the file there, or name the right one"
    }

    /// The error of a line that was parsed by itself.
    func inLine(_ number: Int) -> JSONError {
        var error = self
        error.line = number
        return error
    }
}

/// Bounds that a JSON text must keep, so that a hostile file costs neither stack nor memory.
public struct JSONLimits: Sendable {
    /// How deep arrays and objects may nest.
    public var depth: Int
    /// The largest text in bytes.
    public var bytes: Int
    /// The most values, those within arrays and objects included: a value of two bytes of text takes 16 times that.
    public var values: Int

    /// Limits with the defaults of every reader: 512 levels, 2 GiB, as many values as that holds.
    public init(depth: Int = 512, bytes: Int = 1 << 31, values: Int = .max) {
        self.depth = depth
        self.bytes = bytes
        self.values = values
    }
}
