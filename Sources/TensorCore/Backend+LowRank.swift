/// Where the gradients of a low-rank product's factors go; nil where nobody wants one.
public struct LowRankDestination {
    /// Of A, `[rank, inputs]`.
    public let a: (Tensor, accumulate: Bool)?
    /// Of B, `[outputs, rank]`.
    public let b: (Tensor, accumulate: Bool)?

    /// Two destinations.
    public init(a: (Tensor, accumulate: Bool)?, b: (Tensor, accumulate: Bool)?) { (self.a, self.b) = (a, b) }
}

/// `lowRank` as matrix products: how a back end does it where a kernel of its own would not be faster.
extension Backend {
    /// h = x Aᵀ, y += scale · h Bᵀ.
    package func lowRankByProducts(_ x: Matrix, _ one: LowRankProduct, hidden: Matrix, into y: Matrix) {
        product(
            x, transposeA: false, one.a.matrix, transposeB: true, alpha: 1, bias: nil, into: hidden, accumulate: false)
        product(
            hidden, transposeA: false, one.b.matrix, transposeB: true, alpha: one.scale, bias: nil,
            into: y.columns(one.columns), accumulate: true)
    }

    /// dB = scale · dyᵀ h; with dh = scale · dy B, dA = dhᵀ x and dx = dh A.
    package func lowRankGradientByProducts(
        _ x: Matrix, _ one: LowRankProduct, hidden: Matrix, gradient: Matrix, into destination: LowRankDestination,
        xGradient: (Matrix, accumulate: Bool)?
    ) {
        let dy = gradient.columns(one.columns)
        if let (destination, accumulate) = destination.b {
            product(
                dy, transposeA: true, hidden, transposeB: false, alpha: one.scale, bias: nil,
                into: destination.matrix, accumulate: accumulate)
        }
        guard destination.a != nil || xGradient != nil else { return }
        let dh = empty([hidden.rows, hidden.columns]).matrix
        product(
            dy, transposeA: false, one.b.matrix, transposeB: false, alpha: one.scale, bias: nil, into: dh,
            accumulate: false)
        if let (destination, accumulate) = destination.a {
            product(
                dh, transposeA: true, x, transposeB: false, alpha: 1, bias: nil, into: destination.matrix,
                accumulate: accumulate)
        }
        if let (destination, accumulate) = xGradient {
            product(
                dh, transposeA: false, one.a.matrix, transposeB: false, alpha: 1, bias: nil, into: destination,
                accumulate: accumulate)
        }
    }
}
