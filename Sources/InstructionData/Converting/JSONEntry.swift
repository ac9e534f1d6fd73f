import Basics

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
        if let digits = value[key]?.digits { return digits }
        return try text(key)
    }

    /// What messages call an annotation of a picture.
    func annotation(of image: Int) -> String { "annotation \(value["id"]?.digits ?? "without id") of image \(image)" }

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
