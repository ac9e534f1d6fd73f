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
        file = try MappedFile(path)
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
        let value = try value(at: position)
        do throws(RecordFault) {
            return try reader.record(from: value, defaultID: String(position), repairs: &repairs)
        } catch {
            throw RecordError(path: path, line: line(at: position), reason: error.reason, fix: error.fix)
        }
    }

    /// A record as it stands in the file, when it stands on one line.
    func text(at position: Int) -> String? {
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[index[position]])
        if RecordIndex.newline(in: bytes, from: 0) != nil { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The JSON value of one record, unchecked beyond JSON's own rules.
    public func value(at position: Int) throws -> JSON {
        precondition(position >= 0 && position < count, "record \(position) of \(count)")
        let range = index[position]
        do {
            return try JSON.parse(UnsafeRawBufferPointer(rebasing: file.bytes[range]), source: path)
        } catch {
            throw RecordError(
                path: path, line: line(at: position) + max(0, error.line - 1),
                reason: "column \(error.column): \(error.reason)", fix: "correct or remove this record")
        }
    }

    /// 1-based line where a record begins; counted on demand, since only messages need it.
    public func line(at position: Int) -> Int { lines.line(of: index[position].lowerBound, in: file.bytes) }

    /// Bytes of a record in the file, a cheap measure of its length.
    public func byteCount(at position: Int) -> Int { index[position].count }

    /// SHA-256 of the file's bytes and the reading options, for provenance.
    public func digest() -> String {
        var hash = SHA256()
        hash.update(file.bytes)
        let choices = "lenient=\(options.lenient) outside=\(options.allowsOutsidePaths)"
        hash.update(Array(choices.utf8))
        return SHA256.hex(hash.finish())
    }
}
