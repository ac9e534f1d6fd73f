import Basics

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
        defer { file.release(entry.byteRange) }
        return try body(UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange]))
    }
}
