public import TensorCore

extension ReferenceBackend {
    /// h = x Aᵀ, y += scale · h Bᵀ, one product after the other.
    public func lowRank(_ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, into y: Matrix) {
        var start = 0
        for product in products {
            let h = hidden.matrix.columns(start..<start + product.a.shape.rows)
            lowRankByProducts(x, product, hidden: h, into: y)
            start += h.columns
        }
    }

    /// dB = scale · dyᵀ h; with dh = scale · dy B, dA = dhᵀ x and dx = Σ dh A.
    public func lowRankGradient(
        _ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, gradient: Matrix,
        into destinations: [LowRankDestination], xGradient: (Matrix, accumulate: Bool)?
    ) {
        var start = 0
        for (index, product) in products.enumerated() {
            let h = hidden.matrix.columns(start..<start + product.a.shape.rows)
            lowRankGradientByProducts(
                x, product, hidden: h, gradient: gradient, into: destinations[index],
                xGradient: xGradient.map { ($0.0, accumulate: $0.accumulate || index > 0) })
            start += h.columns
        }
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

    /// With the values of the codes.
    public func codedProduct(
        _ a: Matrix, _ weight: CodedMatrix, transposed: Bool, bias: Tensor?, addend: Matrix?, into c: Matrix,
        accumulate: Bool
    ) {
        codedProductByWidening(
            a, weight, transposed: transposed, bias: bias, addend: addend, into: c, accumulate: accumulate)
    }
}
