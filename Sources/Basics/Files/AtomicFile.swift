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

    private static func open(_ partial: String, for path: String) throws(FileError) -> FileDescriptor {
        if Files.isDirectory(path) { throw FileError("write", path, code: EISDIR) }
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
