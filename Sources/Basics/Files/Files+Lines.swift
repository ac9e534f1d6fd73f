/// A line of a text file.
public struct TextLine: Sendable, Equatable {
    /// Its place in the file, from 1, as editors count.
    public var number: Int
    /// What it holds, without the line's end.
    public var text: String

    /// A line by its place and what it holds.
    public init(number: Int, text: String) { (self.number, self.text) = (number, text) }
}

extension Files {
    /// The lines of a UTF-8 file that hold more than white space; they end with `\n` or `\r\n`.
    ///
    /// Bytes are split, not characters: to Swift `\r\n` is one character, which is not `\n`.
    /// - Parameter onlyEnded: leaves out what stands behind the last line's end, which a kill may have torn.
    /// - Throws: as ``readText(_:limit:)``.
    public static func readLines(_ path: String, limit: Int = 1 << 30, onlyEnded: Bool = false) throws -> [TextLine] {
        var bytes = try read(path, limit: limit)
        if onlyEnded { bytes.removeSubrange(((bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)...) }
        return try text(bytes, of: path).utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated().compactMap { index, bytes in
                let bytes = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
                let line = String(Substring(bytes))
                return line.allSatisfy(\.isWhitespace) ? nil : TextLine(number: index + 1, text: line)
            }
    }
}
