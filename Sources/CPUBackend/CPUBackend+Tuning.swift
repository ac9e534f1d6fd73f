import CKernels
public import TensorCore

extension CPUBackend {
    /// One pass over x and y; ranks above 16 are matrix products.
    public func lowRank(_ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, into y: Matrix) {
        guard a.isNarrow(with: b) else {
            return lowRankByProducts(x, a: a, b: b, scale: scale, hidden: hidden, into: y)
        }
        vitrail_low_rank(
            pool, x.window, a.floatPointer, b.floatPointer, a.shape.rows, scale, hidden.floatPointer, y.window)
    }

    /// All gradients in one pass over x and y's gradient; ranks above 16 are matrix products.
    public func lowRankGradient(
        _ x: Matrix, a: Tensor, b: Tensor, scale: Float, hidden: Tensor, gradient: Matrix,
        aGradient: (Tensor, accumulate: Bool)?, bGradient: (Tensor, accumulate: Bool)?,
        xGradient: (Matrix, accumulate: Bool)?
    ) {
        guard a.isNarrow(with: b) else {
            return lowRankGradientByProducts(
                x, a: a, b: b, scale: scale, hidden: hidden, gradient: gradient, aGradient: aGradient,
                bGradient: bGradient, xGradient: xGradient)
        }
        vitrail_low_rank_gradient(
            pool, x.window, a.floatPointer, b.floatPointer, a.shape.rows, scale, hidden.floatPointer, gradient.window,
            aGradient?.0.floatPointer, aGradient?.accumulate ?? false, bGradient?.0.floatPointer,
            bGradient?.accumulate ?? false, xGradient?.0.window ?? vitrail_matrix(), xGradient?.accumulate ?? false)
    }

    /// Runs of eight blocks are shared out over the threads; into float32 or bfloat16.
    public func widen(_ weights: CodedWeights, into destination: Tensor) {
        var codes = vitrail_codes()
        let isNarrow = destination.dtype == .bfloat16
        precondition(isNarrow || destination.dtype == .float32, "codes are widened to floats, not \(destination.dtype)")
        codes.codes = bytes(weights.codes)
        let values = weights.values ?? []
        values.withUnsafeBufferPointer { values in
            codes.values = weights.values == nil ? nil : values.baseAddress
            switch weights.scales {
            case .plain(let scales):
                codes.scales = UnsafePointer(scales.floatPointer)
                vitrail_widen_codes(pool, &codes, destination.pointer, isNarrow, destination.count)
            case .coded(let scaleCodes, let scaleValues, let outer):
                codes.scale_codes = bytes(scaleCodes)
                codes.outer_scales = UnsafePointer(outer.floatPointer)
                codes.offset = outer.floatPointer[outer.count - 1]
                scaleValues.withUnsafeBufferPointer {
                    codes.scale_values = $0.baseAddress
                    vitrail_widen_codes(pool, &codes, destination.pointer, isNarrow, destination.count)
                }
            }
        }
    }

    private func bytes(_ tensor: Tensor) -> UnsafePointer<UInt8> {
        UnsafePointer(tensor.pointer.assumingMemoryBound(to: UInt8.self))
    }
}

extension Tensor {
    /// Whether A and B of this rank are for the low-rank kernels.
    fileprivate func isNarrow(with up: Tensor) -> Bool {
        shape.rows <= Int(VITRAIL_LOW_RANK_MOST) && dtype == .float32 && up.dtype == .float32
    }
}
