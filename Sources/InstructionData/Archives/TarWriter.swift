import Basics
import CZlib

/// Writes a tar archive (POSIX ustar, with pax headers for long names), gzipped if asked, that appears complete or not at all.
final class TarWriter {
    private var file: AtomicFile?
    private var gzip: GzipWriter?
    private var pending: [UInt8] = []

    private static let block = 512

    /// - Parameter path: ends in `.tar`, or `.tar.gz` / `.tgz` for a gzipped archive.
    init(_ path: String) throws {
        try Files.createDirectory(Paths.parent(path))
        try Files.removeLeftovers(in: Paths.parent(path), of: Paths.name(path))
        file = try AtomicFile(path)
        if path.hasSuffix("gz") { gzip = try GzipWriter() }
    }

    /// Adds a file.
    func add(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        let path = Array(name.utf8)
        if path.count > 100 {
            // "length path=…\n", where the length counts its own digits.
            let body = path.count + 7
            var length = body + String(body).utf8.count
            length = body + String(length).utf8.count
            let record = Array("\(length) path=\(name)\n".utf8)
            try write(header(Array("pax".utf8), size: record.count, kind: UInt8(ascii: "x")))
            try record.withUnsafeBytes { try writePadded($0) }
        }
        try write(header(Array(path.prefix(100)), size: bytes.count, kind: UInt8(ascii: "0")))
        try writePadded(bytes)
    }

    /// Ends the archive and gives it its name.
    func commit() throws {
        try write([UInt8](repeating: 0, count: 2 * Self.block))
        try drain()
        if let gzip { try gzip.finish { try file?.write($0) } }
        try file.take()?.commit()
    }

    private func writePadded(_ bytes: UnsafeRawBufferPointer) throws {
        pending.append(contentsOf: bytes)
        let rest = bytes.count % Self.block
        if rest > 0 { pending.append(contentsOf: repeatElement(0, count: Self.block - rest)) }
        if pending.count > 1 << 20 { try drain() }
    }

    private func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try writePadded($0) } }

    private func drain() throws {
        let full = pending
        try full.withUnsafeBytes { bytes in
            if let gzip { try gzip.add(bytes) { try file?.write($0) } } else { try file?.write(bytes) }
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// A header with the fixed owner and time that make equal contents equal archives.
    private func header(_ name: [UInt8], size: Int, kind: UInt8) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: Self.block)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
        }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
        }
        for (index, byte) in name.enumerated() { header[index] = byte }
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(octal(size, 11), at: 124)
        put("00000000000", at: 136)
        header[156] = kind
        put("ustar", at: 257)
        put("00", at: 263)
        put("        ", at: 148)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, 6), at: 148)
        header[154] = 0
        return header
    }
}

/// Compresses a stream of bytes as gzip.
private final class GzipWriter {
    private var stream = z_stream()
    private var output = [UInt8](repeating: 0, count: 1 << 18)

    init() throws {
        let status = deflateInit2_(
            &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { throw UserError("zlib could not start") }
    }

    deinit { deflateEnd(&stream) }

    func add(_ bytes: UnsafeRawBufferPointer, _ piece: (UnsafeRawBufferPointer) throws -> Void) throws {
        try run(bytes, Z_NO_FLUSH, piece)
    }

    func finish(_ piece: (UnsafeRawBufferPointer) throws -> Void) throws {
        try run(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH, piece)
    }

    private func run(
        _ bytes: UnsafeRawBufferPointer, _ flush: Int32, _ piece: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: Bytef.self))
        stream.avail_in = uInt(bytes.count)
        while true {
            let (status, produced) = output.withUnsafeMutableBufferPointer { buffer -> (Int32, Int) in
                stream.next_out = buffer.baseAddress
                stream.avail_out = uInt(buffer.count)
                let status = deflate(&stream, flush)
                return (status, buffer.count - Int(stream.avail_out))
            }
            guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                throw UserError("zlib could not compress (\(status))")
            }
            if produced > 0 {
                try output.withUnsafeBytes { try piece(UnsafeRawBufferPointer(rebasing: $0[..<produced])) }
            }
            if status == Z_STREAM_END || (flush == Z_NO_FLUSH && stream.avail_in == 0 && produced < output.count) {
                return
            }
        }
    }
}
