public import TensorCore

extension ReferenceBackend {
    /// h = x Aᵀ, y += scale · h Bᵀ.
    public func lowRank(_ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, into y: Matrix) {
        lowRankByProducts(x, a: a, b: b, scale: scale, hidden: hidden, into: y)
    }

    /// dB = scale · dyᵀ h; with dh = scale · dy B, dA = dhᵀ x and dx = dh A.
    public func lowRankGradient(
        _ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, gradient: Matrix,
        aGradient: (Tensor, accumulate: Bool)?, bGradient: (Tensor, accumulate: Bool)?,
        xGradient: (Matrix, accumulate: Bool)?
    ) {
        lowRankGradientByProducts(
            x, a: a, b: b, scale: scale, hidden: hidden, gradient: gradient, aGradient: aGradient,
            bGradient: bGradient, xGradient: xGradient)
    }

    /// w[i] = value of code i · scale of block i / 64.
    public func widen(_ weights: CodedWeights, into destination: Tensor) {
        let codes = weights.codes.pointer.assumingMemoryBound(to: UInt8.self)
        for i in 0..<destination.count {
            let scale = weights.scale(ofBlock: i / CodedWeights.blockLength)
            guard let values = weights.values else {
                destination.setElement(i, Double(Float(Int8(bitPattern: codes[i])) * (scale / 127)))
                continue
            }
            let code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15
            destination.setElement(i, Double(values[Int(code)] * scale))
        }
    }
}
