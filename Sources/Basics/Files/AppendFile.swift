#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
import Synchronization

/// A file of lines that only grows, such as metrics or answers, and that survives a kill at any moment.
///
/// Each line is one write, so lines of several threads never mix. A last line without its end, left by a writer that
/// was killed, is cut off when the file is opened. One process at a time may hold the file.
public final class AppendFile: Sendable {
    /// The file's path.
    public let path: String
    /// How many bytes of a torn last line were cut off on opening.
    public let trimmedBytes: Int
    private let descriptor: FileDescriptor
    private let isClosed = Mutex(false)

    /// Opens `path` for appending, creating it if needed.
    /// - Parameters:
    ///   - beginning: how each of its lines begins; a last line without its end that begins otherwise is somebody else's.
    ///   - held: what to throw when another process is writing the file, where that has a meaning of its own.
    /// - Throws: ``FileError``, or ``UserError`` when another process is writing the file, or when it is no such file.
    public init(_ path: String, beginning: String = "{", held: UserError? = nil) throws {
        guard path != "-" else {
            throw UserError("- names no file", fix: "write /dev/stdout for what goes through a pipe")
        }
        let descriptor = try FileDescriptor(path, flags: O_RDWR | O_CREAT | O_APPEND, operation: "write")
        guard descriptor.lock() else {
            throw held
                ?? UserError(
                    "\(path) is being written by another process",
                    fix: "wait until it ends, or choose another output file")
        }
        trimmedBytes = try Self.trim(descriptor, beginning: Array(beginning.utf8))
        self.path = path
        self.descriptor = descriptor
    }

    /// Appends `line` and a line end.
    /// - Precondition: `line` holds no line end itself and the file is not closed.
    /// - Throws: ``FileError``; then nothing of the line stays in the file.
    public func appendLine(_ line: String) throws(FileError) {
        precondition(!line.utf8.contains(UInt8(ascii: "\n")), "appendLine takes one line, got: \(line.prefix(80))")
        let bytes = Array((line + "\n").utf8)
        let failure = isClosed.withLock { isClosed -> FileError? in
            precondition(!isClosed, "\(path) is closed")
            return bytes.withUnsafeBytes { appendWhole($0) }
        }
        if let failure { throw failure }
    }

    private func appendWhole(_ bytes: UnsafeRawBufferPointer) -> FileError? {
        let before = lseek(descriptor.number, 0, SEEK_END)
        do throws(FileError) {
            try descriptor.write(bytes)
            return nil
        } catch {
            if before >= 0 { ftruncate(descriptor.number, before) }
            return error
        }
    }

    /// Cuts off what is behind the first `size` bytes, in place, so that the file stays held; a file that is no longer stays as it is.
    public func trim(to size: Int) throws(FileError) {
        guard try descriptor.status().size > size else { return }
        guard ftruncate(descriptor.number, off_t(size)) == 0 else { throw FileError("write", path) }
    }

    /// Waits until the disk holds every line.
    public func flush() throws(FileError) {
        try descriptor.synchronize()
    }

    /// Flushes and lets other processes write; closing twice is fine.
    public func close() throws(FileError) {
        try flush()
        isClosed.withLock { isClosed in
            if !isClosed { descriptor.unlock() }
            isClosed = true
        }
    }

    /// Cuts the file behind its last line end and returns how many bytes went.
    private static func trim(_ file: borrowing FileDescriptor, beginning: [UInt8]) throws -> Int {
        let status = try file.status()
        guard status.isRegular, status.size > 0 else { return 0 }
        var end = off_t(status.size)
        var chunk = [UInt8](repeating: 0, count: 4096)
        while end > 0 {
            let start = max(0, end - off_t(chunk.count))
            let count = pread(file.number, &chunk, Int(end - start), start)
            guard count == Int(end - start) else { throw FileError("read", file.path) }
            if let newline = chunk[..<count].lastIndex(of: UInt8(ascii: "\n")) {
                end = start + off_t(newline) + 1
                break
            }
            end = start
        }
        if end < off_t(status.size) {
            let count = pread(file.number, &chunk, min(beginning.count, status.size - Int(end)), end)
            guard count > 0 else { throw FileError("read", file.path) }
            guard chunk[..<count] == beginning[..<count] else {
                throw UserError(
                    "\(file.path) ends in a line that is none of this program's, so this is no file to go on with",
                    fix: "name another file")
            }
            guard ftruncate(file.number, end) == 0 else { throw FileError("write", file.path) }
        }
        return status.size - Int(end)
    }
}
