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

/// What is wrong with an entry.
struct EntryFault: Error {
    var reason: String
    var fix: String?

    init(_ reason: String, fix: String?) {
        self.reason = reason
        self.fix = fix
    }
}

/// One entry with checked access to its members.
struct JSONEntry {
    var value: JSON
    /// Its key, when the file is an object.
    var key: String
    /// Its place among the entries, from 0.
    var position: Int
    /// What the file should be.
    var kind: String

    private func missing(_ key: String, _ what: String) -> EntryFault {
        let keys = value.object?.keys ?? []
        let near = Suggestion.phrase(for: key, among: keys.filter { $0 != key })
        return EntryFault(
            value[key] == nil ? "an entry has no \"\(key)\"\(near)" : "\"\(key)\" is not \(what)",
            fix: "is this \(kind)?")
    }

    /// A text that must be there and not be blank.
    func text(_ key: String) throws(EntryFault) -> String {
        guard let text = value[key]?.string, !text.trimmed.isEmpty else { throw missing(key, "a text") }
        return text
    }

    /// A whole number that must be there, 0 or more.
    func number(_ key: String) throws(EntryFault) -> Int {
        guard let number = value[key]?.int, number >= 0 else { throw missing(key, "a whole number") }
        return number
    }

    /// A name: a text or a whole number.
    func name(_ key: String) throws(EntryFault) -> String {
        if let number = value[key]?.int { return String(number) }
        return try text(key)
    }

    /// A list that must be there and not be empty.
    func list(_ key: String) throws(EntryFault) -> [JSON] {
        guard let list = value[key]?.array, !list.isEmpty else { throw missing(key, "a list with members") }
        return list
    }

    /// Texts of a list; objects give their `answer`, `raw` or `sent`.
    func texts(_ key: String) throws(EntryFault) -> [String] {
        let texts = try list(key).map { member in
            member.string ?? member["answer"]?.string ?? member["raw"]?.string ?? member["sent"]?.string
        }
        let known = texts.compactMap { $0 }
        guard known.count == texts.count else { throw missing(key, "a list of texts") }
        return known
    }

    /// A picture's path under the picture folder.
    func picture(_ path: String) throws(EntryFault) -> ImageReference {
        if let fault = RecordReader.pathFault(path) { throw EntryFault(fault.reason, fix: fault.fix) }
        return ImageReference(path)
    }
}

/// Exchanges about one picture that follow each other, gathered into one record.
final class PictureGroups {
    private let request: ConversionRequest
    private let sink: ConversionSink
    private let entries: JSONEntries
    private var pending: (record: ConvertedRecord, position: Int)?

    init(_ request: ConversionRequest, _ sink: ConversionSink, _ entries: JSONEntries) {
        self.request = request
        self.sink = sink
        self.entries = entries
    }

    /// Adds an exchange about pictures.
    func add(_ exchange: Exchange, images: [ImageReference], id: String, at position: Int) throws {
        if !request.oneQuestion, !images.isEmpty, pending?.record.images == images {
            pending?.record.exchanges.append(exchange)
            return
        }
        try finish()
        pending = (ConvertedRecord(id: id, images: images, exchanges: [exchange]), position)
    }

    /// Emits what is gathered; called after the last.
    func finish() throws {
        guard let ready = pending else { return }
        pending = nil
        try sink.emit(ready.record, path: entries.path, line: entries.line(at: ready.position))
    }
}

/// Boxes as texts: `[x1, y1, x2, y2]` from 0 to 1, three decimals, as LLaVA writes them.
enum BoxText {
    /// - Parameter box: left, top, width and height in pixels.
    static func normalised(_ box: [Double], width: Double, height: Double) throws(EntryFault) -> String {
        guard box.count == 4, width >= 1, height >= 1, box.allSatisfy({ $0.isFinite && abs($0) < 1e9 }), box[2] >= 0,
            box[3] >= 0
        else { throw EntryFault("a box is not [left, top, width, height] within a picture", fix: "correct it") }
        let corners = [box[0] / width, box[1] / height, (box[0] + box[2]) / width, (box[1] + box[3]) / height]
        return "[" + corners.map { decimals(min(1, max(0, $0))) }.joined(separator: ", ") + "]"
    }

    private static func decimals(_ value: Double) -> String {
        let thousandths = Int((value * 1000).rounded())
        let fraction = String(thousandths % 1000)
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
    }
}
