import Basics
import CZlib

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Inflating a whole gzip file into a mapped file without a name.
enum GzipFile {
    /// Inflates in pieces of 1 MiB, so memory stays small; the pages of the result are given back by the system.
    /// - Throws: `UserError` naming the archive when it is damaged or the temporary folder is full.
    static func inflated(_ bytes: UnsafeRawBufferPointer, source: String) throws -> MappedFile {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(folder)/vitrail-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        let path = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        guard descriptor >= 0 else {
            throw UserError(
                "can't make a temporary file in \(folder): \(String(cString: strerror(errno)))",
                fix: "set TMPDIR to a folder with room, or gunzip \(source) first")
        }
        defer { close(descriptor) }
        // It has no name from now on: nothing stays of it, however the program ends.
        unlink(path)
        try inflate(bytes, source: source) { piece in
            var rest = piece
            while !rest.isEmpty {
                let written = write(descriptor, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    throw UserError(
                        "can't inflate \(source) into \(folder): \(String(cString: strerror(errno)))",
                        fix: "set TMPDIR to a folder with more room, or gunzip the archive first")
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
        return try MappedFile(descriptor: descriptor, path: path)
    }

    /// Inflates every member of a gzip stream, in pieces.
    static func inflate(
        _ bytes: UnsafeRawBufferPointer, source: String, piece: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        func damaged(_ what: String) -> UserError {
            UserError("\(source): damaged gzip file: \(what)", fix: "copy or download it again; check it with: gzip -t")
        }
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw UserError("zlib could not start", fix: nil)
        }
        defer { inflateEnd(&stream) }
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { output.deallocate() }
        var consumed = 0
        var ended = false
        while consumed < bytes.count || !ended {
            let available = min(bytes.count - consumed, 1 << 30)
            stream.next_in = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.advanced(by: consumed).assumingMemoryBound(to: Bytef.self))
            stream.avail_in = uInt(available)
            stream.next_out = output.baseAddress?.assumingMemoryBound(to: Bytef.self)
            stream.avail_out = uInt(output.count)
            let status = CZlib.inflate(&stream, Z_NO_FLUSH)
            consumed += available - Int(stream.avail_in)
            let produced = output.count - Int(stream.avail_out)
            if produced > 0 { try piece(UnsafeRawBufferPointer(rebasing: output[..<produced])) }
            if status == Z_STREAM_END {
                ended = true
                // Another member follows, or zero padding as tar writes it.
                if consumed < bytes.count {
                    if bytes[consumed] != 0x1F { return }
                    guard inflateReset(&stream) == Z_OK else { throw damaged("a member can't be opened") }
                    ended = false
                }
            } else if status == Z_BUF_ERROR || (status == Z_OK && produced == 0 && consumed == bytes.count) {
                throw damaged("it ends early")
            } else if status != Z_OK {
                throw damaged(stream.msg.map { String(cString: $0) } ?? "error \(status)")
            }
        }
    }
}
