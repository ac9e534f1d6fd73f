#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Files {
    /// Writes a file so that a crash at any moment leaves the old content or the new one.
    ///
    /// The bytes go to a hidden file beside it, are synchronized, and take the name at once; the folder is
    /// synchronized too. On failure the hidden file is removed and the old content is untouched. A link is followed;
    /// pipes, devices and the program's own streams are written to directly.
    /// - Throws: ``FileError`` naming `path`.
    public static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws(FileError) {
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR { throw FileError("write", path, code: EISDIR) }
        if path == "-" { throw FileError("replace", path, code: EOPNOTSUPP) }
        if exists, status.st_mode & S_IFMT != S_IFREG || isStream(path) {
            let file = try FileDescriptor(path, flags: O_WRONLY | O_APPEND, operation: "write")
            return try file.write(bytes)
        }
        let target = exists ? resolved(path) : path
        let partial = PartialName.make(for: target)
        do throws(FileError) {
            let mode = exists ? status.st_mode & 0o777 : 0o666
            let file = try FileDescriptor(
                partial, flags: O_WRONLY | O_CREAT | O_EXCL, mode: mode, operation: "write")
            _ = file.lock()
            try file.write(bytes)
            try file.synchronize()
            try rename(partial, to: target)
        } catch {
            unlink(partial)
            throw FileError("write", path, code: error.code)
        }
        try synchronizeDirectory(Paths.parent(target))
    }

    /// Writes a file atomically; see ``write(_:to:)-(UnsafeRawBufferPointer,_)``.
    public static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(FileError) in try write(buffer, to: path) }
        }
        try result.get()
    }

    /// Writes a text as UTF-8, atomically; see ``write(_:to:)-(UnsafeRawBufferPointer,_)``.
    public static func write(_ text: String, to path: String) throws(FileError) {
        try write(Array(text.utf8), to: path)
    }

    /// Creates a folder and those above it; one that is there already is fine.
    public static func createDirectory(_ path: String) throws(FileError) {
        if isDirectory(path) { return }
        let parent = Paths.parent(path)
        if !isDirectory(parent), parent != path {
            if exists(parent) { throw FileError("create the folder", path, code: ENOTDIR) }
            try createDirectory(parent)
        }
        guard mkdir(path, 0o777) == 0 || errno == EEXIST && isDirectory(path) else {
            throw FileError("create the folder", path)
        }
    }

    /// Moves `path` to `target`, replacing a file there in one step.
    public static func rename(_ path: String, to target: String) throws(FileError) {
        #if canImport(Glibc)
            let result = Glibc.rename(path, target)
        #else
            let result = Darwin.rename(path, target)
        #endif
        guard result == 0 else { throw FileError("move \(path) to", target) }
    }

    /// Removes a file, a link (not what it names) or a folder with all it holds; nothing there is fine.
    public static func remove(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw FileError("remove", path)
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in try list(path) { try remove(Paths.join(path, name)) }
            guard rmdir(path) == 0 || errno == ENOENT else { throw FileError("remove", path) }
        } else {
            guard unlink(path) == 0 || errno == ENOENT else { throw FileError("remove", path) }
        }
    }

    /// A new empty folder under the system's place for temporary files (`TMPDIR`, else `/tmp`).
    public static func makeTemporaryDirectory(_ prefix: String = "vitrail") throws(FileError) -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array(Paths.join(base, prefix + "-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError(FileError.temporaryFolder, base) }
        return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// The path with links followed; the path itself when that fails.
    public static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// Refuses to write two files to one place.
    /// - Throws: `UserError` where two of `outputs` are one file, by whatever names.
    public static func requireApart(_ outputs: [String?]) throws(UserError) {
        var places: [String: String] = [:]
        for output in outputs.compactMap({ $0 }) where !exists(output) || isRegularFile(output) {
            // What is not there yet is known by its folder.
            let place =
                exists(output) ? resolved(output) : Paths.join(resolved(Paths.parent(output)), Paths.name(output))
            if let other = places.updateValue(output, forKey: place) {
                throw UserError(
                    "\(output) would be written twice" + (other == output ? "" : ", once as \(other)"),
                    fix: "name another file for one of the two")
            }
        }
    }

    /// Waits until the disk knows which names a folder holds.
    static func synchronizeDirectory(_ path: String) throws(FileError) {
        let directory = try FileDescriptor(path, flags: O_RDONLY, operation: "write")
        try directory.synchronize()
    }
}
