#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A folder that appears complete or not at all.
///
/// Files are written into a hidden folder beside the target; ``commit(manifest:_:)`` writes the manifest last,
/// synchronizes everything and renames the folder into place. A folder that was there before is swapped out in the
/// same step where the system can do that, and removed afterwards. If the value goes out of scope uncommitted, the
/// hidden folder is removed; what a killed process leaves is removed by the next writer of the same target.
public struct AtomicDirectory: ~Copyable {
    /// Where the folder will be.
    public let target: String
    /// Where files are to be written until then.
    public let path: String
    private let lock: FileDescriptor
    private var isCommitted = false

    /// Creates the hidden folder, after removing leftovers of earlier writers of `target`.
    public init(_ target: String) throws {
        try Files.requireName(target)
        let target = Files.exists(target) ? Files.resolved(target) : target
        if Files.exists(target), !Files.isDirectory(target) {
            throw FileError("replace by a folder", target, code: ENOTDIR)
        }
        let parent = Paths.parent(target)
        try Files.createDirectory(parent)
        try Files.removeLeftovers(in: parent, of: Paths.name(target))
        let path = PartialName.make(for: target)
        guard mkdir(path, 0o777) == 0 else { throw FileError("create the folder", target) }
        lock = try FileDescriptor(path, flags: O_RDONLY, operation: "write")
        _ = lock.lock()
        self.target = target
        self.path = path
    }

    deinit {
        if !isCommitted { try? Files.remove(path) }
    }

    /// The place for a file of this folder until the commit.
    public func file(_ name: String) -> String { Paths.join(path, name) }

    /// Writes the manifest, puts the folder in its place and ends the writing.
    /// - Parameters:
    ///   - manifest: The name of the file whose presence means that the folder is complete.
    ///   - text: Its content.
    public consuming func commit(manifest: String, _ text: String) throws {
        try synchronize()
        try Files.write(text, to: file(manifest))
        try finish()
    }

    /// Puts the folder in its place without a manifest.
    public consuming func commit() throws {
        try synchronize()
        try finish()
    }

    private mutating func finish() throws {
        if Files.exists(target) {
            if try !exchange() {
                let old = PartialName.make(for: target)
                try Files.rename(target, to: old)
                try Files.rename(path, to: target)
                isCommitted = true
                try Files.remove(old)
            } else {
                isCommitted = true
                try Files.remove(path)
            }
        } else {
            try Files.rename(path, to: target)
            isCommitted = true
        }
        try Files.synchronizeDirectory(Paths.parent(target))
    }

    /// Swaps the new and the old folder in one step; false where the system or file system cannot.
    private func exchange() throws(FileError) -> Bool {
        #if canImport(Glibc)
            // Declared for _GNU_SOURCE only, which Swift's Glibc module does not set.
            typealias Rename =
                @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
            guard let symbol = dlsym(nil, "renameat2") else { return false }
            let exchangeFlag: UInt32 = 1 << 1  // RENAME_EXCHANGE
            let result = unsafeBitCast(symbol, to: Rename.self)(AT_FDCWD, path, AT_FDCWD, target, exchangeFlag)
        #else
            let result = renamex_np(path, target, UInt32(RENAME_SWAP))
        #endif
        if result == 0 { return true }
        guard errno == EINVAL || errno == ENOSYS || errno == ENOTSUP else {
            throw FileError("move \(path) to", target)
        }
        return false
    }

    /// Waits until the disk holds every file: file by file, or all at once when there are many.
    private func synchronize() throws {
        if try fileCount(path, limit: Self.manyFiles) > Self.manyFiles, synchronizeFileSystem() { return }
        try synchronizeAll(path)
    }

    /// A thousand pictures synchronized one by one take seconds; the whole file system takes one.
    private static let manyFiles = 100

    private func fileCount(_ directory: String, limit: Int) throws -> Int {
        var count = 0
        for name in try Files.list(directory) where count <= limit {
            let path = Paths.join(directory, name)
            count += Files.isDirectory(path) ? try fileCount(path, limit: limit) : 1
        }
        return count
    }

    /// Writes out everything of the file system that holds the folder; false where the system has no such call.
    private func synchronizeFileSystem() -> Bool {
        #if canImport(Glibc)
            // Declared for _GNU_SOURCE only, which Swift's Glibc module does not set.
            typealias Synchronize = @convention(c) (Int32) -> Int32
            guard let symbol = dlsym(nil, "syncfs"),
                let folder = try? FileDescriptor(path, flags: O_RDONLY, operation: "write")
            else { return false }
            return unsafeBitCast(symbol, to: Synchronize.self)(folder.number) == 0
        #else
            return false
        #endif
    }

    private func synchronizeAll(_ directory: String) throws {
        for name in try Files.list(directory) {
            let path = Paths.join(directory, name)
            if Files.isDirectory(path) {
                try synchronizeAll(path)
            } else {
                let file = try FileDescriptor(path, flags: O_RDONLY, operation: "write")
                try file.synchronize()
            }
        }
        try Files.synchronizeDirectory(directory)
    }
}
