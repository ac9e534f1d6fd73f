/// c = op(a) · op(b) (+ c), a product that waits to be run with others.
public struct ProductCall {
    /// Left factor, its transpose with `transposeA`.
    public let a: Matrix
    /// Whether the left factor is turned.
    public let transposeA: Bool
    /// Right factor, its transpose with `transposeB`.
    public let b: Matrix
    /// Whether the right factor is turned.
    public let transposeB: Bool
    /// Receives the product.
    public let c: Matrix
    /// Whether it is added to what c holds.
    public let accumulate: Bool

    /// A product of these factors.
    public init(_ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, into c: Matrix, accumulate: Bool) {
        (self.a, self.transposeA, self.b, self.transposeB) = (a, transposeA, b, transposeB)
        (self.c, self.accumulate) = (c, accumulate)
    }
}

extension Backend {
    /// Runs one product by itself.
    public func product(_ call: ProductCall) {
        product(
            call.a, transposeA: call.transposeA, call.b, transposeB: call.transposeB, alpha: 1, bias: nil, into: call.c,
            accumulate: call.accumulate)
    }
}
