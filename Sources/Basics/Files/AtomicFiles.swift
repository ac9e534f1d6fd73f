#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Files of one folder that take their names together or not at all, such as a tokenizer's two.
///
/// A folder that is not there yet appears with them, as an ``AtomicDirectory``. In one that is there, whose other files stay, they
/// wait in a hidden folder until the disk holds all of them.
public struct AtomicFiles: ~Copyable {
    private let folder: String
    private let isNew: Bool
    private let directory: AtomicDirectory
    private var names: [String] = []

    /// Makes the hidden folder, so that a place where nothing can be written is told before the work.
    public init(in folder: String) throws {
        try Files.requireName(folder)
        let isNew = !Files.exists(folder)
        if !isNew, !Files.isDirectory(folder) { throw FileError("replace by a folder", folder, code: ENOTDIR) }
        directory = try AtomicDirectory(isNew ? folder : Paths.join(folder, ".files"))
        self.folder = folder
        self.isNew = isNew
    }

    /// Writes a file of the folder, unseen yet.
    public mutating func write(_ text: String, to name: String) throws {
        try Files.write(text, to: directory.file(name))
        names.append(name)
    }

    /// Gives all files their names.
    public consuming func commit() throws {
        if isNew { return try directory.commit() }
        for name in names { try Files.rename(directory.file(name), to: Paths.join(folder, name)) }
        try Files.synchronizeDirectory(folder)
    }
}
