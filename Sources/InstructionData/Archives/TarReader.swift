public import Basics

/// A tar archive whose members are read in place: the file is mapped and only names and offsets are held.
///
/// A gzip archive can't be read at random places; it is inflated once to a file that is removed from the folder at
/// once, so its memory goes back to the system with the reader. Safe to read from many threads.
public final class TarReader: Sendable {
    /// The archive.
    public let path: String
    /// Its files, in the archive's order; a link to one of them is that file under another name.
    public let entries: [TarEntry]
    /// Names of members whose bytes can't be read in place: links that lead to no file of the archive, and sparse files.
    public let unreadable: [String]
    private let file: MappedFile
    private let positions: [ExactName: Int]

    /// Maps an archive and reads its headers.
    /// - Throws: a `Problem` when it can't be read, or is not a tar archive.
    public init(_ path: String) throws {
        self.path = path
        let mapped = try MappedFile(path)
        if mapped.bytes.count >= 2, mapped.bytes[0] == 0x1F, mapped.bytes[1] == 0x8B {
            file = try GzipFile.inflated(mapped.bytes, source: path)
        } else {
            file = mapped
        }
        let listing = try TarParser(bytes: file.bytes, source: path).read()
        (entries, unreadable) = (listing.files, listing.unreadable)
        // A name that stands twice means its last member, as tar's extraction would leave it.
        positions = Dictionary(entries.enumerated().map { (ExactName($1.name), $0) }, uniquingKeysWith: { $1 })
    }

    /// The member of a name, nil when there is none.
    public func entry(named name: String) -> TarEntry? {
        positions[ExactName(name.hasPrefix("./") ? String(name.dropFirst(2)) : name)].map { entries[$0] }
    }

    /// The names of its files, each once, in the archive's order.
    public var names: [String] {
        entries.indices.filter { positions[ExactName(entries[$0].name)] == $0 }.map { entries[$0].name }
    }

    /// What is said of a member that is there and can't be read.
    public func problem(ofUnreadable name: String) -> UserError {
        UserError(
            "\(path)#\(name) is a link that leads out of the archive, or a sparse member",
            fix: "make the archive again with tar --dereference and without --sparse")
    }

    /// Lends a member's bytes.
    public func withBytes<Result>(
        of entry: TarEntry, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try body(UnsafeRawBufferPointer(rebasing: file.bytes[entry.offset..<(entry.offset + entry.size)]))
    }

    /// Lends the bytes of a member by name.
    /// - Throws: `UserError` with the nearest name when there is no such member.
    public func withBytes<Result>(
        named name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        guard let entry = entry(named: name) else {
            if unreadable.contains(where: { $0.utf8.elementsEqual(name.utf8) }) { throw problem(ofUnreadable: name) }
            throw UserError(
                "\(path) has no member \"\(name)\"",
                fix: Suggestion.fix(
                    for: name, among: entries.count <= 10_000 ? entries.map(\.name) : [],
                    or: "list its members with: tar tf \(path)"))
        }
        return try withBytes(of: entry, body)
    }
}
