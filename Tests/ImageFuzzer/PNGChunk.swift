/// A chunk of a PNG file, for taking files apart and putting them together again.
struct PNGChunk {
    var kind: [UInt8]
    var data: [UInt8]
    var checksum: UInt32

    /// The chunks behind the signature, as far as they are whole.
    static func split(_ bytes: [UInt8]) -> [PNGChunk] {
        var chunks: [PNGChunk] = []
        var offset = 8
        while offset + 12 <= bytes.count {
            let length = Int(number(bytes, offset))
            guard length <= bytes.count - offset - 12 else { break }
            let data = offset + 8
            chunks.append(
                PNGChunk(
                    kind: Array(bytes[(offset + 4)..<data]), data: Array(bytes[data..<(data + length)]),
                    checksum: number(bytes, data + length)))
            offset += 12 + length
        }
        return chunks
    }

    func bytes(keepingChecksum: Bool) -> [UInt8] {
        let sum = keepingChecksum ? checksum : Self.checksum(kind + data)
        return Self.bytes(UInt32(data.count)) + kind + data + Self.bytes(sum)
    }

    private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
    }

    /// CRC-32 as in the PNG standard, annex D.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(0xffff_ffff) { table[Int(($0 ^ UInt32($1)) & 255)] ^ ($0 >> 8) }
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
    }
}
