import Basics
import Synchronization

/// A safetensors file, memory-mapped: opening reads the header only, and tensors are read when asked for.
public final class TensorFile: TensorSource {
    /// The file's path.
    public let path: String
    /// Every tensor, in the order of the header.
    public let entries: [TensorEntry]
    /// The header's `__metadata__`, such as `format: pt`.
    public let metadata: [String: String]

    private let file: MappedFile
    private let positions: [[UInt8]: Int]
    /// Pages that were read since some were given back last: where they lie, and about how many bytes they are.
    private let read = Mutex((range: 0..<0, count: 0))
    /// Bytes that are given back at once: every time, all of the process's threads are interrupted.
    private static let releasedCount = 32 << 20

    /// Opens a file and checks its header.
    /// - Throws: ``CheckpointError`` naming the file and the tensor, or a `FileError`.
    public init(_ path: String) throws {
        if Self.pickleEndings.contains(Paths.fileExtension(path)), Files.isRegularFile(path) {
            throw ForeignFile.pickleError(path, file: path)
        }
        file = try MappedFile(path)
        let header = try SafetensorsHeader(file.bytes, path: path)
        self.path = path
        entries = header.entries
        metadata = header.metadata
        // Names are compared byte by byte, as in JSON: Swift's string equality would merge normal forms.
        var positions: [[UInt8]: Int] = [:]
        positions.reserveCapacity(entries.count)
        for (position, entry) in entries.enumerated() { positions[Array(entry.name.utf8)] = position }
        self.positions = positions
    }

    static let pickleEndings = ["bin", "pt", "pth", "ckpt"]

    /// This file when it holds the tensor.
    public func file(of name: String) -> TensorFile? { ownEntry(name) == nil ? nil : self }

    func ownEntry(_ name: String) -> TensorEntry? {
        positions[Array(name.utf8)].map { entries[$0] }
    }

    func withBytes<R>(of entry: TensorEntry, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        defer { release(entry.byteRange) }
        return try body(UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange]))
    }

    /// Gives pages back when many have been read. Those that others are reading are read again.
    private func release(_ range: Range<Int>) {
        let all: Range<Int>? = read.withLock { read in
            let isFirst = read.count == 0
            read.range =
                isFirst
                ? range
                : min(read.range.lowerBound, range.lowerBound)..<max(read.range.upperBound, range.upperBound)
            read.count += range.count
            guard read.count >= Self.releasedCount else { return nil }
            read.count = 0
            return read.range
        }
        if let all { file.release(all) }
    }
}
