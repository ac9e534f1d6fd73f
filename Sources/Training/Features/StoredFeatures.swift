import Basics

/// The features of one picture in a file: eight bytes that name the format, three numbers of eight bytes (values, columns, checksum of the
/// values), then float32 values, all little-endian.
struct StoredFeatures: Sendable {
    let columns: Int
    let values: [Float]

    private static let magic = Array("VTFEAT02".utf8)

    private static let headBytes = 32

    init(columns: Int, values: [Float]) {
        self.columns = columns
        self.values = values
    }

    /// Reads a file.
    ///
    /// - Throws: an error when it is not there, or is not whole.
    init(file path: String) throws {
        let file = try MappedFile(path)
        let bytes = file.bytes
        guard bytes.count >= Self.headBytes, bytes.prefix(8).elementsEqual(Self.magic) else {
            throw UserError("\(path): no features")
        }
        let count = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let width = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        guard count == UInt64(bytes.count - Self.headBytes) / 4, bytes.count % 4 == 0, count > 0, width > 0,
            count % width == 0,
            let columns = Int(exactly: width), let count = Int(exactly: count)
        else { throw UserError("\(path): features of another length") }
        let content = UnsafeRawBufferPointer(rebasing: bytes[Self.headBytes...])
        guard bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self) == Self.checksum(content).littleEndian else {
            throw UserError("\(path): features that were changed")
        }
        self.columns = columns
        values = [Float](unsafeUninitializedCapacity: count) { target, initialized in
            UnsafeMutableRawBufferPointer(target).copyMemory(from: content)
            initialized = count
        }
    }

    /// The file's bytes.
    var bytes: [UInt8] {
        var result = Self.magic
        result.reserveCapacity(Self.headBytes + 4 * values.count)
        let checksum = values.withUnsafeBytes { Self.checksum($0) }
        for number in [UInt64(values.count), UInt64(columns), checksum] {
            withUnsafeBytes(of: number.littleEndian) { result.append(contentsOf: $0) }
        }
        values.withUnsafeBytes { result.append(contentsOf: $0) }
        return result
    }

    /// Tells values that a disk or a hand has changed; it costs a fraction of the digest of the picture.
    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sum = UInt64(bytes.count)
        for word in bytes.bindMemory(to: UInt32.self) {
            sum = (sum ^ UInt64(UInt32(littleEndian: word))) &* 0x9E37_79B9_7F4A_7C15
            sum ^= sum >> 32
        }
        return sum
    }
}
