/// Reads the fields of one protocol-buffer message, in order.
struct ProtobufReader {
    /// One field's content.
    enum Value {
        case integer(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    private let bytes: ArraySlice<UInt8>
    private var index: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    /// A message that ends too early or has a field that no message has.
    struct Damage: Error {
        let offset: Int
    }

    /// The next field, nil at the end.
    mutating func next() throws(Damage) -> (field: UInt64, value: Value)? {
        guard index < bytes.endIndex else { return nil }
        let tag = try varint()
        switch tag & 7 {
        case 0: return (tag >> 3, .integer(try varint()))
        case 1:
            _ = try take(8)
            return (tag >> 3, .integer(0))
        case 2:
            let count = try varint()
            guard count <= UInt64(bytes.endIndex - index) else { throw Damage(offset: index) }
            return (tag >> 3, .bytes(try take(Int(count))))
        case 5:
            let four = Array(try take(4))
            let low = UInt32(four[0]) | UInt32(four[1]) << 8
            return (tag >> 3, .fixed32(low | UInt32(four[2]) << 16 | UInt32(four[3]) << 24))
        default: throw Damage(offset: index)
        }
    }

    private mutating func varint() throws(Damage) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard index < bytes.endIndex else { throw Damage(offset: index) }
            let byte = bytes[index]
            index += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Damage(offset: index)
    }

    private mutating func take(_ count: Int) throws(Damage) -> ArraySlice<UInt8> {
        guard count <= bytes.endIndex - index else { throw Damage(offset: index) }
        defer { index += count }
        return bytes[index..<index + count]
    }
}
