import Basics

/// The entries of an annotation file, one parsed at a time: a JSON list, JSON lines, a member of one JSON object, or a
/// pickled list.
///
/// A body that throws `EntryFault` makes the entry a fault of its line; the rest of the file is read on when lenient.
final class JSONEntries {
    /// The file.
    let path: String
    /// What the file should be, for messages.
    let kind: String
    private let file: MappedFile
    private let ranges: [Range<Int>]
    private let keys: [String]?
    private let lines = LineIndex()
    private let pickle: PickledList?

    /// A list, or JSON lines.
    /// - Parameter allowsPickle: also read a pickled list; its entries count as lines.
    init(_ path: String, kind: String, allowsPickle: Bool = false) throws {
        (self.path, self.kind, keys) = (path, kind, nil)
        file = try MappedFile.text(path)
        if allowsPickle, PickledList.begins(file.bytes) {
            do throws(PickledList.Fault) {
                let list = try PickledList(file.bytes)
                (pickle, ranges) = (list, (0..<list.count).map { $0..<$0 + 1 })
            } catch {
                throw UserError("\(path): \(error.reason)", fix: error.fix)
            }
            return
        }
        pickle = nil
        let index = try RecordIndex.build(over: file.bytes, source: path, workers: Parallel.processors)
        ranges = (0..<index.count).map { index[$0] }
    }

    /// The list that stands under a key of the file's object.
    init(_ path: String, list: String, kind: String) throws {
        (self.path, self.kind, keys, pickle) = (path, kind, nil, nil)
        file = try MappedFile.text(path)
        ranges = try JSONMembers(file.bytes, path: path).elements(of: list, kind: kind)
    }

    /// The members of the file's object, each with its key.
    init(membersOf path: String, kind: String) throws {
        (self.path, self.kind, pickle) = (path, kind, nil)
        file = try MappedFile.text(path)
        let members = try JSONMembers(file.bytes, path: path)
        keys = members.names
        ranges = members.names.compactMap { members.range(of: $0) }
    }

    /// Entries in the file.
    var count: Int { ranges.count }

    /// The value of an entry whose place is known.
    func value(at position: Int) throws -> JSON {
        if let pickle { return pickle.value(at: position) }
        let range = ranges[position]
        do { return try JSON.parse(UnsafeRawBufferPointer(rebasing: file.bytes[range]), source: path) } catch {
            throw RecordError(
                path: path, line: line(at: position) + error.line - 1, reason: error.reason,
                fix: "correct this entry; the file should hold \(kind)")
        }
    }

    /// 1-based line where an entry begins.
    func line(at position: Int) -> Int {
        pickle == nil ? lines.line(of: ranges[position].lowerBound, in: file.bytes) : position + 1
    }

    /// Reads all entries in order.
    func forEach(_ sink: ConversionSink, _ body: (JSONEntry) throws -> Void) throws {
        for position in ranges.indices {
            do {
                let entry = JSONEntry(
                    value: try value(at: position), key: keys?[position] ?? "", position: position, kind: kind)
                guard entry.value.object != nil || entry.value.array != nil else {
                    throw EntryFault("an entry must be an object, not \(entry.value.kind)", fix: "is this \(kind)?")
                }
                try body(entry)
            } catch let fault as EntryFault {
                try sink.fault(path: path, line: line(at: position), fault.reason, fix: fault.fix)
            } catch let error as RecordError where error.path == path {
                try sink.fault(path: path, line: error.line, error.reason, fix: error.fix)
            }
        }
    }
}
