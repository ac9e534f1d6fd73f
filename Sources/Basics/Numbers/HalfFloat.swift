/// Conversions between float32 and the two 16-bit formats of checkpoints, by bit patterns.
///
/// Done in integers because Swift's `Float16` does not exist on every platform this package builds on and bfloat16
/// has no Swift type at all. Narrowing rounds to nearest, ties to even; NaN stays NaN.
public enum HalfFloat {
    /// The float of a bfloat16 pattern (exact).
    @inlinable @inline(__always)
    public static func float(fromBFloat16 bits: UInt16) -> Float {
        Float(bitPattern: UInt32(bits) << 16)
    }

    /// The bfloat16 pattern nearest to `value`.
    @inlinable @inline(__always)
    public static func bfloat16(from value: Float) -> UInt16 {
        let bits = value.bitPattern
        let rounded = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
        // Rounding could turn a NaN into an infinity: keep its upper half and set the quiet bit.
        return bits & 0x7FFF_FFFF > 0x7F80_0000 ? UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 : rounded
    }

    /// The float of an IEEE half-precision pattern (exact, subnormals included).
    @inlinable @inline(__always)
    public static func float(fromFloat16 bits: UInt16) -> Float {
        let magnitude = UInt32(bits & 0x7FFF) << 13
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = magnitude & 0x0F80_0000
        if exponent == 0x0F80_0000 { return Float(bitPattern: sign | magnitude &+ 0x7000_0000) }
        if exponent == 0 {
            // A subnormal: put the digits behind 2^-14 and take 2^-14 away again.
            let value = Float(bitPattern: magnitude &+ 0x3880_0000) - 0x1p-14
            return Float(bitPattern: sign | value.bitPattern)
        }
        return Float(bitPattern: sign | magnitude &+ 0x3800_0000)
    }

    /// The IEEE half-precision pattern nearest to `value`; beyond 65,519.99… it is infinity.
    @inlinable @inline(__always)
    public static func float16(from value: Float) -> UInt16 {
        let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
        let magnitude = value.bitPattern & 0x7FFF_FFFF
        if magnitude >= 0x4780_0000 {
            // 65,536 and above, infinity, NaN.
            return sign | (magnitude > 0x7F80_0000 ? 0x7E00 : 0x7C00)
        }
        if magnitude < 0x3880_0000 {
            // Below 2^-14: adding 0.5 makes the hardware round at the last subnormal digit.
            let rounded = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: rounded.bitPattern &- Float(0.5).bitPattern)
        }
        let rounded = magnitude &+ 0xC800_0FFF &+ (magnitude >> 13 & 1)
        return sign | UInt16(truncatingIfNeeded: rounded >> 13)
    }
}
