import Basics

/// Signatures of sets whose agreement estimates what share the sets have in common.
///
/// Broder 1997, with the permutations of the Python package `datasketch`: `((a·h + b) mod 2⁶⁴ mod (2⁶¹ - 1)) mod 2³²` of a
/// 32-bit hash `h`.
public struct MinHash: Sendable {
    /// Multipliers, 1 to 2⁶¹ - 2.
    public let multipliers: [UInt64]
    /// Offsets, 0 to 2⁶¹ - 2.
    public let offsets: [UInt64]

    private static let prime: UInt64 = (1 << 61) - 1

    /// Permutations drawn from a seed.
    public init(permutations: Int = 128, seed: UInt64 = 1) {
        var generator = RandomGenerator(seed: seed, stream: "minhash")
        var multipliers: [UInt64] = []
        var offsets: [UInt64] = []
        for _ in 0..<permutations {
            multipliers.append(UInt64(1 + generator.below(Int(Self.prime) - 1)))
            offsets.append(UInt64(generator.below(Int(Self.prime))))
        }
        (self.multipliers, self.offsets) = (multipliers, offsets)
    }

    /// Permutations that are given.
    public init(multipliers: [UInt64], offsets: [UInt64]) {
        precondition(multipliers.count == offsets.count, "as many offsets as multipliers")
        (self.multipliers, self.offsets) = (multipliers, offsets)
    }

    /// The smallest permuted hash for each permutation.
    public func signature(of set: [UInt32]) -> [UInt32] {
        multipliers.indices.map { index in
            let (multiplier, offset) = (multipliers[index], offsets[index])
            var smallest = UInt32.max
            for hash in set {
                let mixed = Self.reduced(UInt64(hash) &* multiplier &+ offset)
                smallest = min(smallest, UInt32(truncatingIfNeeded: mixed))
            }
            return smallest
        }
    }

    /// A number modulo 2⁶¹ - 1, without a division.
    @inline(__always) private static func reduced(_ value: UInt64) -> UInt64 {
        let folded = (value & prime) + (value >> 61)
        return folded >= prime ? folded - prime : folded
    }

    /// The share of permutations in which two signatures agree, an estimate of the Jaccard similarity of their sets.
    public static func similarity(_ a: [UInt32], _ b: [UInt32]) -> Double {
        guard !a.isEmpty, a.count == b.count else { return 0 }
        return Double(zip(a, b).count { $0 == $1 }) / Double(a.count)
    }

    /// The longest bands (most rows) by which sets at the threshold still meet in at least one band with the given chance.
    ///
    /// Sets that have the share `s` in common meet with `1 - (1 - s^rows)^bands`. Long bands mean few strangers to look at.
    public static func bands(
        for threshold: Double, permutations: Int, recall: Double = 0.995
    ) -> (bands: Int, rows: Int) {
        for rows in stride(from: permutations, through: 2, by: -1) {
            let bands = permutations / rows
            let meets = 1 - Numbers.power(1 - Numbers.power(threshold, Double(rows)), Double(bands))
            if meets >= recall { return (bands, rows) }
        }
        return (permutations, 1)
    }
}
