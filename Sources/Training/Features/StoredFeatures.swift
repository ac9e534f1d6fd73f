import Basics

/// The features of one picture in a file: eight bytes that name the format, two numbers of eight bytes (values, columns), then float32
/// values, all little-endian.
struct StoredFeatures: Sendable {
    let columns: Int
    let values: [Float]

    private static let magic = Array("VTFEAT01".utf8)

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
        guard bytes.count >= 24, bytes.prefix(8).elementsEqual(Self.magic) else {
            throw UserError("\(path): no features")
        }
        let count = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let width = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        guard count == UInt64(bytes.count - 24) / 4, bytes.count % 4 == 0, count > 0, width > 0, count % width == 0,
            let columns = Int(exactly: width), let count = Int(exactly: count)
        else { throw UserError("\(path): features of another length") }
        self.columns = columns
        values = [Float](unsafeUninitializedCapacity: count) { target, initialized in
            UnsafeMutableRawBufferPointer(target).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[24...]))
            initialized = count
        }
    }

    /// The file's bytes.
    var bytes: [UInt8] {
        var result = Self.magic
        result.reserveCapacity(24 + 4 * values.count)
        for number in [values.count, columns] {
            withUnsafeBytes(of: UInt64(number).littleEndian) { result.append(contentsOf: $0) }
        }
        values.withUnsafeBytes { result.append(contentsOf: $0) }
        return result
    }
}
