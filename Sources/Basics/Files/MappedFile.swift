#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A file mapped into memory for reading, unmapped when the value goes out of scope.
///
/// Pages are read when touched, so a checkpoint of many gigabytes opens at once. The file must not be truncated while
/// it is mapped; writers in this project replace files by renaming, which keeps the mapped content alive.
public struct MappedFile: ~Copyable, @unchecked Sendable {
    // Sendable: the mapping is read-only and its address and length never change.

    /// The file's path as given.
    public let path: String
    /// The content; valid while this value lives.
    public let bytes: UnsafeRawBufferPointer

    /// Maps a regular file.
    /// - Throws: ``FileError`` naming the path.
    public init(_ path: String) throws(FileError) {
        self.path = path
        bytes = try Self.map(path)
    }

    /// Maps what an open descriptor reads, which stays the caller's; `path` is for errors.
    /// - Throws: ``FileError`` naming the path.
    public init(descriptor: Int32, path: String) throws(FileError) {
        self.path = path
        let size = lseek(descriptor, 0, SEEK_END)
        guard size >= 0 else { throw FileError("read", path) }
        bytes = try Self.map(descriptor, size: Int(size), path)
    }

    /// Maps a file of UTF-8 text.
    /// - Throws: ``FileError`` naming the path, or ``UserError`` for text of 2 or 4 bytes a character.
    public static func text(_ path: String) throws -> MappedFile {
        let file = try MappedFile(path)
        try Files.requireNarrowText(file.bytes, of: path)
        return file
    }

    private static func map(_ path: String) throws(FileError) -> UnsafeRawBufferPointer {
        // Opening a pipe would wait for its writer.
        let file = try FileDescriptor(path, flags: O_RDONLY | O_NONBLOCK, operation: "read")
        let status = try file.status()
        if status.isDirectory { throw FileError("read", path, code: EISDIR) }
        // A pipe has no size, and would pass for an empty file.
        guard status.isRegular else { throw FileError("read", path, code: EOPNOTSUPP) }
        return try map(file.number, size: status.size, path)
    }

    private static func map(_ descriptor: Int32, size: Int, _ path: String) throws(FileError) -> UnsafeRawBufferPointer
    {
        guard size > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != UnsafeMutableRawPointer(bitPattern: -1) else { throw FileError("map", path) }
        return UnsafeRawBufferPointer(start: address, count: size)
    }

    deinit {
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }

    /// The length in bytes.
    public var count: Int { bytes.count }

    /// Gives the memory of pages in `range` back to the system; they are read again if touched again.
    ///
    /// Loading a checkpoint calls this now and then, so that the mapping adds some tensors to the peak and not all.
    public func release(_ range: Range<Int>) {
        guard let base = bytes.baseAddress else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let start = (max(0, range.lowerBound) + page - 1) / page * page
        let end = range.upperBound >= bytes.count ? bytes.count : range.upperBound / page * page
        if end > start { madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED) }
    }
}
