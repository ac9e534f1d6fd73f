#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Functions of single numbers, for the few places outside kernels that need one.
package enum Scalar {
    /// eˣ.
    package static func exp(_ x: Float) -> Float { expf(x) }
}
