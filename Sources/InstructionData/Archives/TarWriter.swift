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
    /// - Throws: an error for one of 1 GiB or more, which is no picture.
    func add(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count < 1 << 30 else {
            throw UserError("\(name) has \(bytes.count) bytes", fix: "leave it out: shards hold files below 1 GiB")
        }
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
        if rest > 0 { Self.zeros.withUnsafeBytes { pending.append(contentsOf: $0[rest...]) } }
        if pending.count > 1 << 20 { try drain() }
    }

    private static let zeros = [UInt8](repeating: 0, count: block)

    private func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try writePadded($0) } }

    private func drain() throws {
        try pending.withUnsafeBytes { bytes in
            if let gzip { try gzip.add(bytes) { try file?.write($0) } } else { try file?.write(bytes) }
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// A header with the fixed owner and time that make equal contents equal archives.
    private func header(_ name: [UInt8], size: Int, kind: UInt8) -> [UInt8] {
        var header = Self.frame
        header.replaceSubrange(0..<name.count, with: name)
        Self.put(size, in: &header, at: 124, digits: 11)
        header[156] = kind
        // Name, size and kind are all that the sum of the frame lacks.
        var sum = Self.frameSum + Int(kind)
        for byte in name { sum += Int(byte) }
        for index in 124..<135 { sum += Int(header[index]) }
        Self.put(sum, in: &header, at: 148, digits: 6)
        header[154] = 0
        return header
    }

    /// A number in octal digits.
    private static func put(_ value: Int, in header: inout [UInt8], at offset: Int, digits: Int) {
        var rest = value
        for index in stride(from: offset + digits - 1, through: offset, by: -1) {
            header[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest & 7)
            rest >>= 3
        }
    }

    /// A header without name, size, kind and sum (whose field counts as blanks).
    private static let frame: [UInt8] = {
        var header = [UInt8](repeating: 0, count: block)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put("00000000000", at: 136)
        put("ustar", at: 257)
        put("00", at: 263)
        put("        ", at: 148)
        return header
    }()
    private static let frameSum = frame.reduce(0) { $0 + Int($1) }
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
