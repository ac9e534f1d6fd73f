#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Whole-file reading, and questions about paths. Every error names the path.
public enum Files {
    /// The bytes of a file, a pipe, a terminal or `/dev/null`.
    /// - Parameter limit: The most bytes accepted; 1 GiB unless said.
    /// - Throws: ``FileError``, or ``UserError`` for a file above the limit.
    public static func read(_ path: String, limit: Int = 1 << 30) throws -> [UInt8] {
        try read(FileDescriptor(path, flags: O_RDONLY, operation: "read"), of: path, limit: limit)
    }

    private static func read(_ file: borrowing FileDescriptor, of path: String, limit: Int) throws -> [UInt8] {
        let status = try file.status()
        if status.isDirectory { throw FileError("read", path, code: EISDIR) }
        let tooLarge = UserError(
            "\(path) is larger than the \(limit) bytes that are read into memory",
            fix: "check that the path names the right file")
        if status.isRegular, status.size > limit { throw tooLarge }
        var content: [UInt8] = []
        if status.isRegular { content.reserveCapacity(status.size) }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { chunk.deallocate() }
        while case let count = try file.read(into: chunk), count > 0 {
            // /dev/null is empty; what other devices give has no end, or is a whole disk.
            if status.isDevice { throw FileError("read", path, code: EOPNOTSUPP) }
            content.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
            if content.count > limit { throw tooLarge }
        }
        return content
    }

    /// Lends the bytes of a file: a small one is read, which takes fewer calls, a large one mapped; so is a pipe read, up to 1 GiB.
    /// - Throws: as ``read(_:limit:)``, or what the body throws.
    public static func withBytes<Result>(
        of path: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let file = try FileDescriptor(path, flags: O_RDONLY, operation: "read")
        let status = try file.status()
        if status.isDirectory { throw FileError("read", path, code: EISDIR) }
        // A pipe has no size, and cannot be mapped.
        guard status.isRegular else { return try read(file, of: path, limit: 1 << 30).withUnsafeBytes(body) }
        guard status.size <= 1 << 18 else {
            let mapped = try MappedFile(path)
            return try body(mapped.bytes)
        }
        return try withUnsafeTemporaryAllocation(byteCount: status.size + 1, alignment: 16) { buffer in
            var done = 0
            // A file that grew meanwhile is read as far as it was long.
            while done < status.size {
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<status.size])
                let count = try file.read(into: rest)
                if count == 0 { break }
                done += count
            }
            return try body(UnsafeRawBufferPointer(rebasing: buffer[..<done]))
        }
    }

    /// The text of a UTF-8 file; a byte order mark at its start is dropped.
    /// - Throws: as ``read(_:limit:)``, or a problem with line and offset where the bytes are not UTF-8.
    public static func readText(_ path: String, limit: Int = 1 << 30) throws -> String {
        try text(try read(path, limit: limit), of: path)
    }

    static func text(_ bytes: [UInt8], of path: String) throws -> String {
        var bytes = bytes
        try bytes.withUnsafeBytes { try requireNarrowText($0, of: path) }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        try bytes.withUnsafeBytes { try requireText($0, of: path) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Refuses bytes of a file that are no UTF-8 text.
    public static func requireText(_ bytes: UnsafeRawBufferPointer, of path: String) throws(UserError) {
        try requireNarrowText(bytes, of: path)
        guard let offset = UTF8Text.firstInvalidByte(bytes) else { return }
        let line = bytes[..<offset].reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        // Pictures, archives and programs have null characters, and no text in bytes does.
        let isText = !bytes.prefix(4_096).contains(0)
        throw UserError(
            "\(path):\(line): byte 0x\(String(bytes[offset], radix: 16)) at offset \(offset) is not UTF-8 text",
            fix: isText
                ? "save the file as UTF-8, for example with: iconv -f LATIN1 -t UTF-8 '\(path)'"
                : "name a text file; this one holds something else")
    }

    /// Refuses text of 2 or 4 bytes a character, as editors and tables on Windows save it; only the first bytes are looked at.
    static func requireNarrowText(_ bytes: UnsafeRawBufferPointer, of path: String) throws(UserError) {
        guard let encoding = UTF8Text.wideEncoding(bytes) else { return }
        throw UserError(
            "\(path) is \(encoding) text, and UTF-8 is read",
            fix: "save the file as UTF-8, for example with: iconv -f \(encoding) -t UTF-8 '\(path)'")
    }

    /// The folder that relative paths in a file are relative to: its own, or the working folder for what comes through a pipe or by
    /// redirection. Other files under `/dev`, such as those in `/dev/shm`, are files.
    public static func folder(of path: String) -> String {
        isStream(path) || (exists(path) && !isRegularFile(path)) ? "." : Paths.parent(path)
    }

    /// Whether a path is a stream that the program was started with, whatever it leads to; `-` stands for one.
    static func isStream(_ path: String) -> Bool {
        ["-", "/dev/stdin", "/dev/stdout", "/dev/stderr"].contains(path) || path.hasPrefix("/dev/fd/")
            || path.hasPrefix("/proc/")
    }

    /// Whether anything is at `path` (a dangling link counts as nothing).
    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Whether `path` is a folder or a link to one.
    public static func isDirectory(_ path: String) -> Bool { kind(path) == S_IFDIR }

    /// Whether `path` is a regular file or a link to one.
    public static func isRegularFile(_ path: String) -> Bool { kind(path) == S_IFREG }

    /// Whether `path` is a pipe in a folder, not one that the program was started with.
    public static func isNamedPipe(_ path: String) -> Bool {
        kind(path) == S_IFIFO && !path.hasPrefix("/dev/") && !path.hasPrefix("/proc/")
    }

    private static func kind(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    /// The size of a file in bytes.
    public static func size(_ path: String) throws(FileError) -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError("read", path) }
        return Int(status.st_size)
    }

    /// The names in a folder, hidden ones included, in the order of their bytes.
    /// - Parameter leaveOut: told of each name that is not UTF-8 and so has no `String`, its odd bytes as `\xE9`; nil makes it an error.
    /// - Throws: ``FileError``, ``UserError``, or what `leaveOut` throws.
    public static func list(_ directory: String, leaveOut: ((String) throws -> Void)? = nil) throws -> [String] {
        guard let stream = opendir(directory) else { throw FileError("list the folder", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw FileError("list the folder", directory) }
                break
            }
            // The name is copied by its length: the tuple that Swift sees may end before it does.
            let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
            let start = UnsafeRawPointer(entry) + offset
            let bytes = UnsafeRawBufferPointer(start: start, count: strlen(start.assumingMemoryBound(to: CChar.self)))
            guard let name = String(validating: bytes, as: UTF8.self) else {
                let spelled = UTF8Text.spelled(bytes)
                guard let leaveOut else { throw unreadableName(Paths.join(directory, spelled)) }
                try leaveOut(spelled)
                continue
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// What is said of a file whose name is not UTF-8; `path` spells it.
    public static func unreadableName(_ path: String) -> UserError {
        UserError(
            "\(path): the name of this file is not UTF-8",
            fix: "rename it, for example with: convmv -f latin1 -t utf8 --notest -r '\(Paths.parent(path))'")
    }

    /// The files below a folder, as paths relative to it, each folder's in the order of their bytes.
    ///
    /// Hidden files and folders are left out. Links are followed, but not back into a folder that they stand in: a link to `..` would
    /// otherwise repeat everything dozens of times.
    /// - Parameter leaveOut: told, by a path relative to the folder and the reason, of names that are not UTF-8 and of inner folders
    ///   that may not be listed; nil makes them errors.
    /// - Throws: as ``list(_:leaveOut:)``.
    public static func tree(
        _ directory: String, leaveOut: ((String, any Problem) throws -> Void)? = nil
    ) throws -> [String] {
        var found: [String] = []
        try walk(directory, "", above: [try identity(directory)], into: &found, leaveOut)
        return found
    }

    /// What tells a file or folder from all others, whatever links lead to it.
    private static func identity(_ path: String) throws(FileError) -> Identity {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError("read", path) }
        return Identity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }

    private struct Identity: Equatable {
        var device: UInt64
        var number: UInt64
    }

    private static func walk(
        _ directory: String, _ prefix: String, above: [Identity], into found: inout [String],
        _ leaveOut: ((String, any Problem) throws -> Void)?
    ) throws {
        let names: [String]
        do {
            // A folder whose names may be read but not used would hide its folders among its files.
            guard access(directory, X_OK) == 0 else { throw FileError("look into the folder", directory) }
            names = try list(
                directory,
                leaveOut: leaveOut.map { told in
                    { try told(prefix + $0, unreadableName(Paths.join(directory, $0))) }
                })
        } catch let error as FileError {
            guard let leaveOut, !prefix.isEmpty else { throw error }
            return try leaveOut(String(prefix.dropLast()), error)
        }
        for name in names where !name.hasPrefix(".") {
            let path = Paths.join(directory, name)
            guard isDirectory(path) else {
                found.append(prefix + name)
                continue
            }
            let identity = try identity(path)
            if above.contains(identity) { continue }
            try walk(path, prefix + name + "/", above: above + [identity], into: &found, leaveOut)
        }
    }

    /// Refuses an empty path before work begins whose result would have no place.
    public static func requireName(_ output: String) throws(FileError) {
        if output.isEmpty { throw FileError("write", output, code: ENOENT) }
    }

    /// Refuses to write over what is read.
    /// - Parameter outputs: files to be written.
    /// - Throws: `UserError` where one of them is one of `inputs`, by whatever name.
    public static func requireOther(_ outputs: [String?], than inputs: [String?]) throws {
        for output in outputs.compactMap({ $0 }) where isRegularFile(output) {
            for input in inputs.compactMap({ $0 }) where isRegularFile(input) {
                guard try identity(input) == identity(output) else { continue }
                throw UserError(
                    "\(output) is what is read, and would be written over", fix: "name another file with --output")
            }
        }
    }

    /// The paths that match a shell pattern (`*`, `?`, `[…]`, `{a,b}`, `~`), in the order of their bytes.
    ///
    /// A pattern without such characters gives itself when something is there. No match gives an empty list.
    /// - Parameter leaveOut: told of each path that is not UTF-8, as that of ``list(_:leaveOut:)``.
    public static func expandGlob(_ pattern: String, leaveOut: ((String) throws -> Void)? = nil) throws -> [String] {
        var result = glob_t()
        defer { globfree(&result) }
        // GLOB_BRACE | GLOB_TILDE: macros that Swift does not import on every platform.
        #if canImport(Glibc)
            let flags: Int32 = 1 << 10 | 1 << 12
        #else
            let flags: Int32 = 0x0080 | 0x0800
        #endif
        switch glob(pattern, flags, nil, &result) {
        case 0: break
        case GLOB_NOMATCH: return []
        case GLOB_NOSPACE: throw FileError("expand the pattern", pattern, code: ENOMEM)
        default: throw FileError("expand the pattern", pattern, code: errno == 0 ? EIO : errno)
        }
        var paths: [String] = []
        for position in 0..<Int(result.gl_pathc) {
            guard let start = result.gl_pathv[position] else { continue }
            let bytes = UnsafeRawBufferPointer(start: start, count: strlen(start))
            if let path = String(validating: bytes, as: UTF8.self) {
                paths.append(path)
            } else {
                guard let leaveOut else { throw unreadableName(UTF8Text.spelled(bytes)) }
                try leaveOut(UTF8Text.spelled(bytes))
            }
        }
        return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
