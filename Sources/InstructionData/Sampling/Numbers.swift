#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The few functions of the C library that sampling needs.
enum Numbers {
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}
