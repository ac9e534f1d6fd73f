#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Functions of single numbers.
enum Scalars {
    /// base to the exponent.
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}
