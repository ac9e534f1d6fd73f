import Basics

/// Byte ranges of the records of a data file: 12 bytes a record, nothing parsed.
struct RecordIndex: Sendable {
    /// First byte of each record.
    private(set) var starts: ContiguousArray<UInt64> = []
    /// Whether each record is known to stand on a line of its own.
    private(set) var areLines = true
    /// Bytes of each record.
    private(set) var lengths: ContiguousArray<UInt32> = []

    var count: Int { starts.count }

    subscript(position: Int) -> Range<Int> {
        let start = Int(starts[position])
        return start..<(start + Int(lengths[position]))
    }

    /// A record longer than this is refused: it is a damaged file rather than a sample.
    static let recordLimit = 256 << 20

    private mutating func append(_ range: Range<Int>) throws(RecordTooLong) {
        guard range.count <= Self.recordLimit else { throw RecordTooLong(offset: range.lowerBound) }
        starts.append(UInt64(range.lowerBound))
        lengths.append(UInt32(range.count))
    }

    private mutating func append(contentsOf other: RecordIndex) {
        starts.append(contentsOf: other.starts)
        lengths.append(contentsOf: other.lengths)
    }

    /// Indexes a file: a JSON array when its first character is `[`, JSON lines otherwise.
    static func build(over bytes: UnsafeRawBufferPointer, source: String, workers: Int) throws -> RecordIndex {
        let start = firstContent(in: bytes)
        guard start < bytes.count else { return RecordIndex() }
        if bytes[start] == UInt8(ascii: "[") { return try array(bytes, source: source) }
        return try lines(bytes, from: start, workers: workers)
    }

    /// Offset of the first byte that is neither white space nor a byte order mark.
    private static func firstContent(in bytes: UnsafeRawBufferPointer) -> Int {
        var offset = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF ? 3 : 0
        while offset < bytes.count, isSpace(bytes[offset]) { offset += 1 }
        return offset
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 10 || byte == 13 || byte == 9 }

    // MARK: - JSON lines

    /// JSON texts hold no raw line ends, so the file can be cut at any line end and its pieces indexed side by side.
    private static func lines(
        _ bytes: UnsafeRawBufferPointer, from start: Int, workers: Int
    ) throws -> RecordIndex {
        let pieceSize = 16 << 20
        var cuts = [start]
        while let last = cuts.last, last < bytes.count {
            let target = last + pieceSize
            guard target < bytes.count, let end = newline(in: bytes, from: target) else {
                cuts.append(bytes.count)
                break
            }
            cuts.append(end + 1)
        }
        let pieces = zip(cuts, cuts.dropFirst()).map { $0..<$1 }
        nonisolated(unsafe) let shared = bytes
        let parts = try Parallel.map(pieces, workers: max(1, min(workers, pieces.count))) { piece in
            try lines(shared, in: piece)
        }
        var index = RecordIndex()
        for part in parts { index.append(contentsOf: part) }
        return index
    }

    private static func lines(_ bytes: UnsafeRawBufferPointer, in piece: Range<Int>) throws -> RecordIndex {
        var index = RecordIndex()
        var position = piece.lowerBound
        while position < piece.upperBound {
            let end = newline(in: bytes, from: position) ?? bytes.count
            var (first, last) = (position, end)
            while first < last, isSpace(bytes[first]) { first += 1 }
            while last > first, isSpace(bytes[last - 1]) { last -= 1 }
            if first < last { try index.append(first..<last) }
            position = end + 1
        }
        return index
    }

    /// Indexes the elements of an outermost array; each is parsed strictly when it is read.
    private static func array(_ bytes: UnsafeRawBufferPointer, source: String) throws -> RecordIndex {
        var index = RecordIndex()
        index.areLines = false
        for range in try JSONScanner.elements(of: bytes, source: source) { try index.append(range) }
        return index
    }
}

/// A record too long to be one, with its offset; the data set turns it into a line.
struct RecordTooLong: Error {
    var offset: Int
}
