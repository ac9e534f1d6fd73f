#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A seeded generator with a fixed, documented algorithm: the same seed gives the same numbers in every version.
///
/// xoshiro256** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021), its four words of
/// state filled by splitmix64 from the seed. A stream takes another starting point: its number, or the 64-bit FNV-1a
/// hash of its name, goes through splitmix64 once and is added to the seed (exclusive or).
public struct RandomGenerator: RandomNumberGenerator, Sendable, Equatable {
    private var words: (UInt64, UInt64, UInt64, UInt64)

    /// The generator of a seed.
    public init(seed: UInt64) {
        var mixer = seed
        words = (
            Self.splitmix64(&mixer), Self.splitmix64(&mixer), Self.splitmix64(&mixer), Self.splitmix64(&mixer)
        )
    }

    /// An independent stream of a seed, by number.
    public init(seed: UInt64, stream: UInt64) {
        var mixer = stream
        self.init(seed: seed ^ Self.splitmix64(&mixer))
    }

    /// An independent stream of a seed, by name: `"shuffle"`, `"initialization"`, …
    public init(seed: UInt64, stream: String) {
        self.init(
            seed: seed,
            stream: stream.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    }

    /// The generator that ``state`` was taken from; nil for anything but four words that are not all zero.
    public init?(state: [UInt64]) {
        guard state.count == 4, state.contains(where: { $0 != 0 }) else { return nil }
        words = (state[0], state[1], state[2], state[3])
    }

    /// The four words of state, to be saved and restored.
    public var state: [UInt64] { [words.0, words.1, words.2, words.3] }

    /// Whether both will give the same numbers.
    public static func == (a: Self, b: Self) -> Bool { a.words == b.words }

    private static func splitmix64(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        func rotated(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
        let result = rotated(words.1 &* 5, 7) &* 9
        let shifted = words.1 << 17
        words.2 ^= words.0
        words.3 ^= words.1
        words.1 ^= words.2
        words.0 ^= words.3
        words.2 ^= shifted
        words.3 = rotated(words.3, 45)
        return result
    }

    /// A double in [0, 1), from the upper 53 bits.
    public mutating func uniform() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// Goes on as if so many numbers had been drawn.
    public mutating func skip(_ count: Int) {
        for _ in 0..<count { _ = next() }
    }

    /// A normal deviate of mean 0 and variance 1 (Box and Muller 1958; the second of each pair is dropped, so that
    /// the state stays four words).
    public mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }

    /// An integer in `0..<bound`, every one equally likely (Lemire, "Fast Random Integer Generation", 2019).
    /// - Precondition: `bound` is positive.
    public mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0, "below(\(bound)): the bound must be positive")
        let bound = UInt64(bound)
        var product = next().multipliedFullWidth(by: bound)
        if product.low < bound {
            let threshold = (0 &- bound) % bound
            while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
        }
        return Int(product.high)
    }

    /// Puts the elements in random order (Fisher and Yates, from the back).
    public mutating func shuffle<C: MutableCollection & RandomAccessCollection>(_ elements: inout C) {
        for count in stride(from: elements.count, through: 2, by: -1) {
            let chosen = below(count)
            elements.swapAt(
                elements.index(elements.startIndex, offsetBy: count - 1),
                elements.index(elements.startIndex, offsetBy: chosen))
        }
    }
}
