import Foundation

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
    /// - Parameter watch: called with each piece of standard error and the process, to interrupt it at the right moment.
    func run(_ arguments: String..., watch: (@Sendable (String, Process) -> Void)? = nil) throws -> Result {
        try run(arguments, watch: watch)
    }

    /// Runs a line of the shell, in which `$VITRAIL` is the executable.
    func shell(_ line: String) throws -> Result {
        try run(
            ["VITRAIL=\(Self.binary.path)", "/bin/sh", "-c", line], executable: URL(fileURLWithPath: "/usr/bin/env"))
    }

    func run(
        _ arguments: [String], executable: URL = Self.binary, watch: (@Sendable (String, Process) -> Void)? = nil
    ) throws -> Result {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let error = Pipe()
        let outputFile = folder.appendingPathComponent(".output-\(UUID().uuidString)")
        try Data().write(to: outputFile)
        // A file, not a second pipe: nobody has to read both at once.
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = error
        process.standardInput = FileHandle.nullDevice
        try process.run()
        var said = Data()
        while case let piece = error.fileHandleForReading.availableData, !piece.isEmpty {
            said.append(piece)
            watch?(String(decoding: piece, as: UTF8.self), process)
        }
        process.waitUntilExit()
        let output = try Data(contentsOf: outputFile)
        try FileManager.default.removeItem(at: outputFile)
        return Result(
            code: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            output: String(decoding: output, as: UTF8.self), error: String(decoding: said, as: UTF8.self))
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
