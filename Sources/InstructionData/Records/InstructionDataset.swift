public import Basics

/// Records of one file, read on demand: the file stays mapped and only byte offsets are held.
///
/// A JSON array and JSON lines are both read, in LLaVA's and OpenAI's form. Pictures are relative to `imageFolder`.
/// Safe to read from many threads at once.
public final class InstructionDataset: Sendable {
    /// How a data set is read.
    public struct Options: Sendable, Equatable {
        /// Folder that picture paths are relative to; the data file's own folder when nil.
        public var imageFolder: String?
        /// Repair what can be repaired instead of refusing it.
        public var lenient: Bool
        /// Accept picture paths that leave the picture folder.
        public var allowsOutsidePaths: Bool

        /// Strict reading, pictures beside the data file.
        public init(imageFolder: String? = nil, lenient: Bool = false, allowsOutsidePaths: Bool = false) {
            self.imageFolder = imageFolder
            self.lenient = lenient
            self.allowsOutsidePaths = allowsOutsidePaths
        }
    }

    /// The data file.
    public let path: String
    /// How it is read.
    public let options: Options
    /// Folder that picture paths are relative to.
    public let imageFolder: String
    private let file: MappedFile
    private let index: RecordIndex
    private let reader: RecordReader
    private let lines = LineIndex()

    /// Maps and indexes a file; nothing is parsed yet.
    /// - Throws: a `Problem` when the file can't be read, holds no record, or is a list that is not closed.
    public init(_ path: String, options: Options = Options(), workers: Int = 4) throws {
        self.path = path
        self.options = options
        imageFolder = options.imageFolder ?? Paths.parent(path)
        file = try MappedFile.text(path)
        reader = RecordReader(lenient: options.lenient, allowsOutsidePaths: options.allowsOutsidePaths)
        do {
            index = try RecordIndex.build(over: file.bytes, source: path, workers: workers)
        } catch let fault as RecordTooLong {
            throw RecordError(
                path: path, line: RecordIndex.line(of: fault.offset, in: file.bytes),
                reason: "a record is over \(RecordIndex.recordLimit >> 20) MiB",
                fix: "is this a file of records, one a line or in a list?")
        }
        if index.count == 0 {
            throw UserError("\(path) holds no records", fix: "give a JSON list or JSON lines with at least one record")
        }
    }

    /// Records in the file, whether they are well formed or not.
    public var count: Int { index.count }

    /// Reads one record; its pictures are resolved under the picture folder.
    /// - Throws: `RecordError` with file, line and fix.
    public func record(at position: Int) throws -> InstructionRecord {
        var repairs: [Repair] = []
        return try record(at: position, repairs: &repairs)
    }

    /// Reads one record and adds what a lenient reading changed to `repairs`.
    public func record(at position: Int, repairs: inout [Repair]) throws -> InstructionRecord {
        var record = try unresolvedRecord(at: position, repairs: &repairs)
        record.images = record.images.map { $0.resolved(under: imageFolder) }
        return record
    }

    /// Reads one record with its pictures as the file names them.
    public func unresolvedRecord(at position: Int, repairs: inout [Repair]) throws -> InstructionRecord {
        try unresolvedRecord(at: position, repairs: &repairs, on: JSONTape())
    }

    /// Reads one record on a tape that is used again and again.
    ///
    /// - Parameter keepsMetadata: whether members beside the conversation are read.
    func unresolvedRecord(
        at position: Int, repairs: inout [Repair], on tape: JSONTape, keepsMetadata: Bool = true
    ) throws -> InstructionRecord {
        try place(position, on: tape)
        do throws(RecordFault) {
            return try tape.withRoot { root throws(RecordFault) in
                try reader.record(
                    from: root, defaultID: String(position), keepsMetadata: keepsMetadata, repairs: &repairs)
            }
        } catch {
            throw RecordError(path: path, line: line(at: position), reason: error.reason, fix: error.fix)
        }
    }

    /// A record as it stands in the file, when it stands on one line; valid as long as the data set is.
    func text(at position: Int) -> UnsafeRawBufferPointer? {
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[index[position]])
        return index.areLines || RecordIndex.newline(in: bytes, from: 0) == nil ? bytes : nil
    }

    /// The JSON value of one record, unchecked beyond JSON's own rules.
    public func value(at position: Int) throws -> JSON {
        let tape = JSONTape()
        try place(position, on: tape)
        return tape.withRoot { $0.json }
    }

    /// Puts a record's values on a tape.
    private func place(_ position: Int, on tape: JSONTape) throws {
        precondition(position >= 0 && position < count, "record \(position) of \(count)")
        let error: JSONError
        do throws(JSONError) {
            return try tape.read(UnsafeRawBufferPointer(rebasing: file.bytes[index[position]]), source: path)
        } catch let fault {
            error = fault
        }
        throw RecordError(
            path: path, line: line(at: position) + max(0, error.line - 1),
            reason: "column \(error.column): \(error.reason)", fix: "correct or remove this record")
    }

    /// 1-based line where a record begins; counted on demand, since only messages need it.
    public func line(at position: Int) -> Int { lines.line(of: index[position].lowerBound, in: file.bytes) }

    /// Bytes of a record in the file, a cheap measure of its length.
    public func byteCount(at position: Int) -> Int { index[position].count }

    /// A hash of the bytes of consecutive records.
    func contentHash(_ records: Range<Int>) -> UInt64 {
        guard let first = records.first, let last = records.last else { return 0 }
        return RandomStream.mixed(
            of: UnsafeRawBufferPointer(rebasing: file.bytes[index[first].lowerBound..<index[last].upperBound]))
    }

    /// SHA-256 of the file's bytes and the reading options, for provenance.
    public func digest() -> String {
        var hash = SHA256()
        hash.update(file.bytes)
        let choices = "lenient=\(options.lenient) outside=\(options.allowsOutsidePaths)"
        hash.update(Array(choices.utf8))
        return SHA256.hex(hash.finish())
    }
}
