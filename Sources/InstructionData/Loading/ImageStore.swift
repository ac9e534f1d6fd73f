import Basics
import Synchronization

/// Lends the encoded bytes of pictures, from files and from tar archives.
///
/// An archive's index is read once, at its first picture. Safe to use from many threads.
public final class ImageStore: Sendable {
    private let archives = Mutex<[String: TarReader]>([:])

    /// An empty store.
    public init() {}

    /// Lends a picture's encoded bytes.
    /// - Throws: a `Problem` naming the file, or the archive and member.
    public func withBytes<Result>(
        of image: ImageReference, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        switch image {
        case .file(let path):
            // A named pipe would be waited for; one that the shell made is the caller's own.
            if Files.isNamedPipe(path) {
                throw UserError("\(path) is a pipe, not a picture's file", fix: "name a file")
            }
            do { return try Files.withBytes(of: path, body) } catch let error as FileError {
                if Files.exists(path) { throw error }
                throw UserError(
                    "picture \(path) is not there",
                    fix: "name the folder that the paths are relative to with images: (or --images)")
            }
        case .member(let archive, let name):
            return try reader(of: archive).withBytes(named: name, body)
        }
    }

    /// The opened archive of a path.
    public func reader(of archive: String) throws -> TarReader {
        // Opened under the lock: a second thread waits rather than indexing the same archive again.
        try archives.withLock { archives in
            if let reader = archives[archive] { return reader }
            let reader = try TarReader(archive)
            archives[archive] = reader
            return reader
        }
    }
}
