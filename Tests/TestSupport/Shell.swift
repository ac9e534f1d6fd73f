import Foundation

/// A command of the shell that a test needs failed.
public struct ShellFailure: Error {
    /// The command.
    public let command: String
    /// Its exit status, or the number of the signal that ended it.
    public let status: Int32
}

/// Runs a line of the shell and gives what it prints.
/// - Throws: ``ShellFailure`` when it ends with anything but 0.
@discardableResult
public func shell(_ command: String, in folder: String? = nil) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ShellFailure(command: command, status: process.terminationStatus)
    }
    return String(decoding: data, as: UTF8.self)
}
