#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A refusal by the operating system, with the path and what was being done to it.
public struct FileError: Problem, Equatable {
    /// What failed, in the infinitive: "read", "write", "create the folder", …
    public let operation: String
    /// The file or folder concerned.
    public let path: String
    /// The system's error number (`errno`).
    public let code: Int32

    /// The operation of ``Files/makeTemporaryDirectory(_:)``.
    static let temporaryFolder = "create a temporary folder in"

    /// An error from `errno`, which must be read before any other call can change it.
    public init(_ operation: String, _ path: String) {
        self.init(operation, path, code: errno)
    }

    /// An error with the error number given.
    public init(_ operation: String, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// Whether the machine had no more of something, whatever the file: descriptors, memory, or room.
    public var isOfTheMachine: Bool { [EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT].contains(code) }

    /// What was being done, the path, and the system's words.
    public var problem: String {
        "cannot \(operation) \(path.isEmpty ? "\"\"" : path): \(String(cString: strerror(code)))"
    }

    /// Whether nothing is at the path.
    public var isMissing: Bool { code == ENOENT }

    /// The nearest folder above the path that is there: what was being written may have been cleared away by now.
    private var folder: String {
        var folder = Paths.parent(path)
        while !Files.isDirectory(folder), Paths.parent(folder) != folder { folder = Paths.parent(folder) }
        return folder
    }

    /// The advice that fits the error number.
    public var fix: String? {
        switch code {
        case _ where operation == Self.temporaryFolder: "name a folder that can be written in TMPDIR: export TMPDIR=…"
        case ENOENT where path.isEmpty: "the path is empty: is a variable of the shell not set?"
        case ENOENT where operation == "write" && !Files.isDirectory(Paths.parent(path)):
            "check the path, or make the folder with: mkdir -p '\(Paths.parent(path))'"
        case ENOENT where path == "-": "write /dev/stdin for what comes through a pipe"
        case ENOENT: "check the path; nothing is there"
        case EINVAL where path.utf8.contains(0): "a path holds no null character; write one path a line"
        case EACCES, EPERM: "check the permissions with: ls -ld '\(Files.exists(path) ? path : folder)'"
        case EROFS: "choose a place that is not mounted read-only"
        case ENOSPC: "free some space on that disk, or choose another place; see: df -h '\(folder)'"
        case EDQUOT: "your disk quota is used up: free some space or choose another place"
        case EISDIR: "that is a folder; name a file"
        case ENOTDIR: "a part of the path is a file, not a folder"
        case EEXIST: "something is there already; remove it or choose another name"
        case EMFILE, ENFILE: "too many files are open; raise the limit with: ulimit -n 4096"
        case ENAMETOOLONG: "choose a shorter name"
        case ENOMEM: "there is not enough memory; close other programs or limit the size"
        case EFBIG: "the file system or the limit 'ulimit -f' does not allow a file of that size"
        case EPIPE: "whoever was to read it has ended"
        case EIO: "the disk reports an error; check it and restore the file from a copy"
        case EOPNOTSUPP where operation == "replace" && Files.isStream(path):
            "name a file: it appears when it is complete, and data names its pictures from there"
        case EOPNOTSUPP: "that is a device or a pipe; name a file"
        case ELOOP: "that is a link that leads back to itself; see: ls -l '\(path)'"
        default: "check the path and its disk with: ls -ld '\(path)'; df '\(folder)'"
        }
    }
}
