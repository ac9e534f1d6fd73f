import TensorCore

/// The quantised storage forms: blocks of weights under one float16 scale d, 64 to 256 in 8 bits and 32 in 4. These are GGML's Q8_0, but for
/// its length of 32, and Q4_0 bit for bit (`quantize_row_q8_0_ref`, `quantize_row_q4_0_ref`).
///
/// Computed in `Float`, as the format's own source does: the codes are part of the format, so they must come out the same everywhere.
enum BlockFormat {
    static let int4Length = DType.int4Blocks.blockLength
    static let int4ByteCount = DType.int4Blocks.blockByteCount

    /// d · q, with q a signed byte.
    static func int8Element(_ index: Int, _ dtype: DType, at pointer: UnsafeRawPointer) -> Double {
        let block = pointer + index / dtype.blockLength * dtype.blockByteCount
        return scale(block) * Double(block.load(fromByteOffset: 2 + index % dtype.blockLength, as: Int8.self))
    }

    /// d · (q − 8): elements 0 to 15 in the low nibbles of the 16 bytes, 16 to 31 in the high ones.
    static func int4Element(_ index: Int, at pointer: UnsafeRawPointer) -> Double {
        let block = pointer + index / int4Length * int4ByteCount
        let place = index % int4Length
        let byte = block.load(fromByteOffset: 2 + place % 16, as: UInt8.self)
        return scale(block) * Double(Int(place < 16 ? byte & 15 : byte >> 4) - 8)
    }

    /// d = max |x| / 127, q = round(x / d), halves away from zero.
    static func storeInt8(_ values: [Float], _ dtype: DType, at pointer: UnsafeMutableRawPointer) {
        forEachBlock(values, dtype.blockLength) { number, block in
            let target = pointer + number * dtype.blockByteCount
            let largest = block.map(\.magnitude).max()!
            let d = largest / 127
            let inverse = d == 0 ? 0 : 1 / d
            target.storeBytes(of: Float16(d).bitPattern, as: UInt16.self)
            for (place, x) in block.enumerated() {
                let code = Int8(clamping: Int((x * inverse).rounded(.toNearestOrAwayFromZero)))
                target.storeBytes(of: code, toByteOffset: 2 + place, as: Int8.self)
            }
        }
    }

    /// d = m / −8 with m the (signed) element of largest magnitude, q = min(15, ⌊x / d + 8.5⌋).
    static func storeInt4(_ values: [Float], at pointer: UnsafeMutableRawPointer) {
        forEachBlock(values, int4Length) { number, block in
            let target = pointer + number * int4ByteCount
            var extreme: Float = 0
            for x in block where x.magnitude > extreme.magnitude { extreme = x }
            let d = extreme / -8
            let inverse = d == 0 ? 0 : 1 / d
            target.storeBytes(of: Float16(d).bitPattern, as: UInt16.self)
            let codes = block.map { min(15, UInt8($0 * inverse + 8.5)) }
            for place in 0..<16 {
                target.storeBytes(of: codes[place] | codes[place + 16] << 4, toByteOffset: 2 + place, as: UInt8.self)
            }
        }
    }

    private static func scale(_ block: UnsafeRawPointer) -> Double {
        Double(Float16(bitPattern: block.loadUnaligned(as: UInt16.self)))
    }

    /// Calls `body` with every block, the last one filled up with zeros.
    private static func forEachBlock(_ values: [Float], _ length: Int, _ body: (Int, [Float]) -> Void) {
        for start in stride(from: 0, to: values.count, by: length) {
            let present = values[start..<min(start + length, values.count)]
            body(start / length, present + Array(repeating: 0, count: length - present.count))
        }
    }
}
