package import Basics

/// Lines gathered into large writes of a file that appears complete or not at all.
package final class LineFile {
    private var file: AtomicFile?
    private var length = 0
    private var buffer: [UInt8] = []

    private static let bufferSize = 1 << 20

    /// Opens the hidden file; the folder is made, and what killed writers of the same file left is removed.
    package init(_ path: String) throws {
        let folder = Paths.parent(path)
        try Files.createDirectory(folder)
        try Files.removeLeftovers(in: folder, of: Paths.name(path))
        file = try AtomicFile(path)
        buffer.reserveCapacity(Self.bufferSize + 4096)
    }

    /// Opens a file that a killed run began, behind the bytes that are known to be good; 0 begins anew.
    init(_ path: String, from length: Int) throws {
        try Files.createDirectory(Paths.parent(path))
        file = try AtomicFile(path, from: length)
        self.length = length
        buffer.reserveCapacity(Self.bufferSize + 4096)
    }

    /// Brings everything to disk.
    /// - Returns: the bytes that the file has now.
    package func settle() throws -> Int {
        try drain()
        try file?.synchronize()
        return length
    }

    /// Adds a text and a line end.
    package func appendLine(_ line: String) throws {
        buffer.append(contentsOf: line.utf8)
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= Self.bufferSize { try drain() }
    }

    /// Adds lines that end themselves.
    func append(_ lines: String) throws {
        buffer.append(contentsOf: lines.utf8)
        if buffer.count >= Self.bufferSize { try drain() }
    }

    /// Adds lines that end themselves; many of them go into the file as they are.
    package func append(_ lines: JSONText) throws {
        guard lines.bytes.count >= Self.bufferSize / 16 else {
            buffer.append(contentsOf: lines.bytes)
            if buffer.count >= Self.bufferSize { try drain() }
            return
        }
        try drain()
        try lines.bytes.withUnsafeBytes { try file?.write($0) }
        length += lines.bytes.count
    }

    private func drain() throws {
        guard !buffer.isEmpty else { return }
        try buffer.withUnsafeBytes { try file?.write($0) }
        length += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    /// Leaves the settled file for a run that goes on with it.
    func keep() { file.take()?.keep() }

    /// Gives the file its name; nothing may be added afterwards.
    package func commit() throws {
        try drain()
        try file.take()?.commit()
    }
}
