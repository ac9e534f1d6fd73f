import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What tells a run from all others: its words, its folder, this program, and the files it reads as they are now.
///
/// A run that was killed goes on only when all of that is the same.
enum RunKey {
    /// - Parameter inputs: files, and folders whose files count.
    static func make(of inputs: [String?]) -> String {
        var words = Array(CommandLine.arguments.dropFirst())
        words.append(Files.resolved("."))
        words.append(state(of: "/proc/self/exe"))
        for path in inputs.compactMap({ $0 }) {
            words.append(state(of: path))
            guard Files.isDirectory(path), let names = try? Files.list(path) else { continue }
            words += names.map { state(of: Paths.join(path, $0)) }
        }
        return SHA256.hex(of: Array(words.joined(separator: "\0").utf8))
    }

    private static func state(of path: String) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { return path }
        return "\(path) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) \(status.st_ino)"
    }
}
