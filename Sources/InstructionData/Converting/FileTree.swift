import Basics

/// A folder or a tar archive, seen as files with relative names.
struct FileTree {
    /// Path of the folder or archive.
    let root: String
    private let archive: TarReader?

    init(_ path: String) throws {
        root = path
        if Files.isDirectory(path) {
            archive = nil
        } else if ImageReference.isArchive(path) {
            archive = try TarReader(path)
        } else if Files.exists(path) {
            throw UserError("\(path) is neither a folder nor a tar archive", fix: "give a folder, a .tar or a .tar.gz")
        } else {
            throw UserError("\(path) is not there", fix: "check the path")
        }
    }

    /// Whether a file of this name is there.
    func contains(_ name: String) -> Bool {
        archive.map { $0.entry(named: name) != nil } ?? Files.exists(Paths.join(root, name))
    }

    /// Lends a file's bytes.
    func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        if let archive { return try archive.withBytes(named: name, body) }
        let file = try MappedFile(Paths.join(root, name))
        return try body(file.bytes)
    }

    /// How a record refers to a file: relative to the root, or as a member of it.
    func reference(to name: String) -> ImageReference {
        archive == nil ? .file(name) : .member(archive: root, name: name)
    }

    /// A file's name for messages.
    func shown(_ name: String) -> String { archive == nil ? Paths.join(root, name) : "\(root)#\(name)" }

    /// Names of an archive's members that begin so and can't be read; a folder's files all can.
    func unreadable(under prefix: String) -> [String] { archive?.unreadable.filter { $0.hasPrefix(prefix) } ?? [] }

    /// All files whose name begins so, in byte order; hidden ones are left out.
    /// - Parameter leaveOut: told of each file whose name is not UTF-8 and of each folder that may not be listed.
    func files(under prefix: String, leaveOut: @escaping (String, any Problem) throws -> Void) throws -> [String] {
        if let archive {
            let names = archive.entries.map(\.name).filter { $0.hasPrefix(prefix) }
            return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        }
        let folder = prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
        guard folder.isEmpty || Files.isDirectory(Paths.join(root, folder)) else { return [] }
        func inner(_ name: String) -> String { folder.isEmpty ? name : folder + "/" + name }
        return try Files.tree(Paths.join(root, folder)) { try leaveOut(inner($0), $1) }.map(inner)
    }
}
