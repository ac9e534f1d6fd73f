/// A seeded stream of test numbers (SplitMix64, Steele et al. 2014): the same on every machine and run.
public struct NumberStream {
    private var state: UInt64

    /// A stream that is a function of `seed`.
    public init(seed: UInt64) { state = seed }

    /// 64 uniform bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Numbers in −scale ..< scale, multiples of scale/2048: exact in float16 for scales that are powers of two, so that products with
    /// narrow weights and finite differences start from exact inputs.
    public mutating func values(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in (Float(next() >> 52) - 2048) / 2048 * scale }
    }

    /// Integers of a range.
    public mutating func integers(_ count: Int, in range: Range<Int32>) -> [Int32] {
        (0..<count).map { _ in range.lowerBound + Int32(next() % UInt64(range.count)) }
    }
}
