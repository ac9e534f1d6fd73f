/// `lowRank` as matrix products: how a back end does it where a kernel of its own would not be faster.
extension Backend {
    /// h = x Aᵀ, y += scale · h Bᵀ.
    package func lowRankByProducts(_ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, into y: Matrix) {
        product(
            x, transposeA: false, a.matrix, transposeB: true, alpha: 1, bias: nil, into: hidden.matrix,
            accumulate: false)
        product(
            hidden.matrix, transposeA: false, b.matrix, transposeB: true, alpha: scale, bias: nil, into: y,
            accumulate: true)
    }

    /// dB = scale · dyᵀ h; with dh = scale · dy B, dA = dhᵀ x and dx = dh A.
    package func lowRankGradientByProducts(
        _ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, gradient: Matrix,
        aGradient: (Tensor, accumulate: Bool)?, bGradient: (Tensor, accumulate: Bool)?,
        xGradient: (Matrix, accumulate: Bool)?
    ) {
        if let (destination, accumulate) = bGradient {
            product(
                gradient, transposeA: true, hidden.matrix, transposeB: false, alpha: scale, bias: nil,
                into: destination.matrix, accumulate: accumulate)
        }
        guard aGradient != nil || xGradient != nil else { return }
        let dh = empty(hidden.shape)
        product(
            gradient, transposeA: false, b.matrix, transposeB: false, alpha: scale, bias: nil, into: dh.matrix,
            accumulate: false)
        if let (destination, accumulate) = aGradient {
            product(
                dh.matrix, transposeA: true, x, transposeB: false, alpha: 1, bias: nil, into: destination.matrix,
                accumulate: accumulate)
        }
        if let (destination, accumulate) = xGradient {
            product(
                dh.matrix, transposeA: false, a.matrix, transposeB: false, alpha: 1, bias: nil, into: destination,
                accumulate: accumulate)
        }
    }
}
