#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A file written piece by piece that takes its name only when complete.
///
/// For content too large to hold in memory; ``Files/write(_:to:)-(UnsafeRawBufferPointer,_)`` is the whole in one call. If the value goes
/// out of scope uncommitted, what was written is removed; what a killed process leaves is found by
/// ``Files/removeLeftovers(in:of:)``.
public struct AtomicFile: ~Copyable {
    /// Where the file will be.
    public let path: String
    private let partial: String
    private let descriptor: FileDescriptor
    private var isCommitted = false

    /// Opens a hidden file beside `path`.
    public init(_ path: String) throws(FileError) {
        let target = Files.exists(path) ? Files.resolved(path) : path
        partial = PartialName.make(for: target)
        self.path = target
        descriptor = try Self.open(partial, for: path)
    }

    /// Goes on with the hidden file that a killed run of the same work left, cut to what is known to be good of it.
    ///
    /// Its name is always the same, `.<name>.unfinished`; it stays behind when this process is killed.
    /// - Parameter length: bytes to keep; 0 begins anew.
    /// - Throws: ``FileError`` also when the file is shorter, ``UserError`` when another process writes it.
    public init(_ path: String, from length: Int) throws {
        let target = Files.exists(path) ? Files.resolved(path) : path
        let partial = Self.unfinishedName(of: target)
        try Self.check(path)
        let descriptor = try FileDescriptor(partial, flags: O_WRONLY | O_CREAT, operation: "write")
        guard descriptor.lock() else {
            throw UserError(
                "\(path) is being written by another process", fix: "wait until it ends, or choose another output file")
        }
        guard try descriptor.status().size >= length, ftruncate(descriptor.number, off_t(length)) == 0,
            lseek(descriptor.number, 0, SEEK_END) == off_t(length)
        else { throw FileError("go on with", partial, code: EIO) }
        self.path = target
        self.partial = partial
        self.descriptor = descriptor
    }

    /// What ``init(_:from:)`` calls its hidden file.
    public static func unfinishedName(of path: String) -> String {
        let target = Files.exists(path) ? Files.resolved(path) : path
        return Paths.join(Paths.parent(target), "." + Paths.name(target) + ".unfinished")
    }

    /// Waits until the disk holds what was written.
    public func synchronize() throws(FileError) { try descriptor.synchronize() }

    /// A folder can't be replaced, and a device or pipe must not be: its name would become a file's. Nor is a standard stream
    /// replaced by the file that it was redirected to: whoever writes there goes on with the old one.
    private static func check(_ path: String) throws(FileError) {
        if Files.isStream(path) { throw FileError("replace", path, code: EOPNOTSUPP) }
        if Files.isDirectory(path) { throw FileError("write", path, code: EISDIR) }
        if Files.exists(path), !Files.isRegularFile(path) { throw FileError("replace", path, code: EOPNOTSUPP) }
    }

    private static func open(_ partial: String, for path: String) throws(FileError) -> FileDescriptor {
        try check(path)
        do throws(FileError) {
            let flags = O_WRONLY | O_CREAT | O_EXCL
            let descriptor = try FileDescriptor(partial, flags: flags, operation: "write")
            _ = descriptor.lock()
            return descriptor
        } catch {
            throw FileError("write", path, code: error.code)
        }
    }

    deinit {
        if !isCommitted { unlink(partial) }
    }

    /// Leaves what was written where ``init(_:from:)`` goes on with it.
    public consuming func keep() { isCommitted = true }

    /// Appends bytes.
    /// - Throws: ``FileError`` naming the final path.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        do throws(FileError) {
            try descriptor.write(bytes)
        } catch {
            throw FileError("write", path, code: error.code)
        }
    }

    /// Synchronizes the content and puts the file in its place.
    public consuming func commit() throws(FileError) {
        do throws(FileError) {
            try descriptor.synchronize()
            try Files.rename(partial, to: path)
        } catch {
            throw FileError("write", path, code: error.code)
        }
        isCommitted = true
        try Files.synchronizeDirectory(Paths.parent(path))
    }
}
