import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Runs the built `vitrail` as a user's shell does, and keeps what it said.
struct VitrailProcess {
    /// What a call left behind.
    struct Result {
        var code: Int32
        var output: String
        var error: String

        /// Lines of standard output.
        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// The executable beside the tests' own; `VITRAIL_BINARY` names another.
    static let binary: URL = {
        if let path = ProcessInfo.processInfo.environment["VITRAIL_BINARY"] { return URL(fileURLWithPath: path) }
        return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("vitrail")
    }()

    /// The repository, where `Models` and `Datasets` lie.
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Where calls work and write; removed by `remove()`.
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("vitrail é \(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    /// Runs to the end.
    ///
    /// - Parameter mark: what standard error says when the process is to be interrupted, once; however late that is read, the process is
    ///   a few lines ahead at the most.
    func run(_ arguments: String..., interruptedAt mark: String? = nil) throws -> Result {
        try run(arguments, interruptedAt: mark)
    }

    /// Runs a line of the shell, in which `$VITRAIL` is the executable.
    func shell(_ line: String) throws -> Result {
        try run(
            ["VITRAIL=\(Self.binary.path)", "/bin/sh", "-c", line], executable: URL(fileURLWithPath: "/usr/bin/env"))
    }

    func run(
        _ arguments: [String], executable: URL = Self.binary, interruptedAt mark: String? = nil
    ) throws -> Result {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let error = try mark == nil ? Self.pipe() : Self.shortPipe()
        let outputFile = folder.appendingPathComponent(".output-\(UUID().uuidString)")
        try Data().write(to: outputFile)
        // A file, not a second pipe: nobody has to read both at once.
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = error.writing
        process.standardInput = FileHandle.nullDevice
        try Self.withoutSignalMask { try process.run() }
        try error.writing.close()
        var said = Data()
        var isInterrupted = false
        while case let piece = error.reading.availableData, !piece.isEmpty {
            said.append(piece)
            guard !isInterrupted, let mark, String(decoding: said, as: UTF8.self).contains(mark) else { continue }
            isInterrupted = true
            process.interrupt()
        }
        process.waitUntilExit()
        let output = try Data(contentsOf: outputFile)
        try FileManager.default.removeItem(at: outputFile)
        return Result(
            code: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            output: String(decoding: output, as: UTF8.self), error: String(decoding: said, as: UTF8.self))
    }

    /// Threads that run tests block most signals, and a process begins as its thread is: a shell would wait for ever for the signal
    /// that its child has ended.
    private static func withoutSignalMask(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    private static func pipe() -> (reading: FileHandle, writing: FileHandle) {
        let pipe = Pipe()
        return (pipe.fileHandleForReading, pipe.fileHandleForWriting)
    }

    /// A pipe holds 64 KiB, which is all that a short run says: it may be over before anybody has read a line. The smallest buffer of
    /// a socket holds a few lines, and whoever writes more waits.
    private static func shortPipe() throws -> (reading: FileHandle, writing: FileHandle) {
        var ends: [Int32] = [0, 0]
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        var size: Int32 = 1
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0,
            setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size)) == 0
        else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (
            FileHandle(fileDescriptor: ends[0], closeOnDealloc: true),
            FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        )
    }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func text(_ name: String) throws -> String {
        try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }

    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(name)) }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    func list(_ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path(name)).sorted()
    }
}
