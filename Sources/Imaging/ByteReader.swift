/// Reads numbers from untrusted bytes: every access is checked and nil beyond the end.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer.SubSequence

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes[...]
    }

    private init(_ bytes: UnsafeRawBufferPointer.SubSequence) {
        self.bytes = bytes
    }

    var count: Int { bytes.count }

    func byte(at offset: Int) -> UInt8? {
        offset >= 0 && offset < count ? bytes[bytes.startIndex + offset] : nil
    }

    func bigEndian16(at offset: Int) -> UInt16? {
        guard offset >= 0, offset < count, count - offset >= 2 else { return nil }
        let at = bytes.startIndex + offset
        return UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1])
    }

    func bigEndian32(at offset: Int) -> UInt32? {
        guard let high = bigEndian16(at: offset), let low = bigEndian16(at: offset + 2) else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    /// `length` bytes from `offset`, fewer at the end.
    func slice(_ offset: Int, _ length: Int) -> ByteReader {
        let start = min(max(0, offset), count), end = min(start + max(0, length), count)
        return ByteReader(bytes[(bytes.startIndex + start)..<(bytes.startIndex + end)])
    }

    func starts(with prefix: StaticString) -> Bool {
        prefix.withUTF8Buffer { bytes.starts(with: $0) }
    }
}
