#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
import Synchronization

/// An open file, closed when it goes out of scope.
struct FileDescriptor: ~Copyable, Sendable {
    let number: Int32
    let path: String
    private let isLocked = Atomic(false)

    /// Opens `path`; `operation` words the error.
    init(_ path: String, flags: Int32, mode: mode_t = 0o666, operation: String) throws(FileError) {
        // The system would take the path to end there, and open another file.
        guard !path.utf8.contains(0) else { throw FileError(operation, path, code: EINVAL) }
        var number: Int32
        repeat { number = open(path, flags | O_CLOEXEC, mode) } while number < 0 && errno == EINTR
        guard number >= 0 else { throw FileError(operation, path) }
        self.number = number
        self.path = path
    }

    deinit {
        // A process that another thread is about to start has the file too, until it becomes its program: closing alone would leave the
        // lock to it for that moment.
        if isLocked.load(ordering: .relaxed) { unlock() }
        close(number)
    }

    /// What this is, and its size in bytes; `isDevice` is a disk, or one such as `/dev/zero`, but no terminal.
    func status() throws(FileError) -> (isRegular: Bool, isDirectory: Bool, isDevice: Bool, size: Int) {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw FileError("read", path) }
        let kind = status.st_mode & S_IFMT
        let isDevice = kind == S_IFBLK || kind == S_IFCHR && isatty(number) == 0
        return (kind == S_IFREG, kind == S_IFDIR, isDevice, Int(status.st_size))
    }

    /// Writes all bytes, however many calls that takes.
    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var done = 0
        while done < bytes.count {
            // Linux moves at most 0x7ffff000 bytes a call.
            let chunk = min(bytes.count - done, 1 << 30)
            #if canImport(Glibc)
                let count = Glibc.write(number, bytes.baseAddress! + done, chunk)
            #else
                let count = Darwin.write(number, bytes.baseAddress! + done, chunk)
            #endif
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("write", path)
            }
            done += count
        }
    }

    /// Reads up to `buffer.count` bytes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        while true {
            #if canImport(Glibc)
                let count = Glibc.read(number, buffer.baseAddress, min(buffer.count, 1 << 30))
            #else
                let count = Darwin.read(number, buffer.baseAddress, min(buffer.count, 1 << 30))
            #endif
            if count >= 0 { return count }
            if errno != EINTR { throw FileError("read", path) }
        }
    }

    /// Waits until the disk holds what was written.
    func synchronize() throws(FileError) {
        // Pipes, terminals and some file systems cannot synchronize, which is no fault of the writer.
        guard fsync(number) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP else {
            throw FileError("write", path)
        }
    }

    /// Takes the advisory lock that tells others that this file's writer lives; false when another holds it.
    func lock() -> Bool {
        let isOurs = flock(number, LOCK_EX | LOCK_NB) == 0
        if isOurs { isLocked.store(true, ordering: .relaxed) }
        return isOurs || errno != EWOULDBLOCK
    }

    /// Drops the advisory lock.
    func unlock() {
        flock(number, LOCK_UN)
    }
}
