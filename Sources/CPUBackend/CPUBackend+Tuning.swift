import CKernels
public import TensorCore

extension CPUBackend {
    /// One pass over x and y for all products; those of high rank are matrix products.
    public func lowRank(_ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, into y: Matrix) {
        for run in runs(of: products) {
            let h = hidden.matrix.columns(run.ranks)
            guard run.isNarrow else {
                lowRankByProducts(x, products[run.products.lowerBound], hidden: h, into: y)
                continue
            }
            let arguments = products[run.products].map { $0.arguments }
            vitrail_low_rank(
                pool, arguments, arguments.count, self.products == .bfloat16, x.eitherWindow, h.window, y.eitherWindow)
        }
    }

    /// All gradients in one pass over x and y's gradient; products of high rank are matrix products.
    public func lowRankGradient(
        _ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, gradient: Matrix,
        into destinations: [LowRankDestination], xGradient: (Matrix, accumulate: Bool)?
    ) {
        for (index, run) in runs(of: products).enumerated() {
            let h = hidden.matrix.columns(run.ranks)
            let xGradient = xGradient.map { ($0.0, accumulate: $0.accumulate || index > 0) }
            guard run.isNarrow else {
                lowRankGradientByProducts(
                    x, products[run.products.lowerBound], hidden: h, gradient: gradient,
                    into: destinations[run.products.lowerBound], xGradient: xGradient)
                continue
            }
            let arguments = run.products.map { index in
                var argument = products[index].arguments
                argument.a_gradient = destinations[index].a?.0.floatPointer
                argument.a_accumulate = destinations[index].a?.accumulate ?? false
                argument.b_gradient = destinations[index].b?.0.floatPointer
                argument.b_accumulate = destinations[index].b?.accumulate ?? false
                return argument
            }
            vitrail_low_rank_gradient(
                pool, arguments, arguments.count, self.products == .bfloat16, x.eitherWindow, h.window,
                gradient.eitherWindow, xGradient?.0.eitherWindow ?? vitrail_matrix(), xGradient?.accumulate ?? false)
        }
    }

    /// Neighbouring products that one call of the kernels does, and products by themselves that these do not take.
    private func runs(of products: [LowRankProduct]) -> [LowRankRun] {
        let limits = vitrail_low_rank_most(self.products == .bfloat16)
        var runs: [LowRankRun] = []
        var start = 0
        for (index, product) in products.enumerated() {
            let rank = product.a.shape.rows
            let isNarrow = rank <= limits.rank && product.a.dtype == .float32 && product.b.dtype == .float32
            if isNarrow, let last = runs.last, last.isNarrow, last.ranks.count + rank <= limits.ranks {
                runs[runs.count - 1].products = last.products.lowerBound..<index + 1
                runs[runs.count - 1].ranks = last.ranks.lowerBound..<start + rank
            } else {
                runs.append(
                    LowRankRun(products: index..<index + 1, ranks: start..<start + rank, isNarrow: isNarrow))
            }
            start += rank
        }
        return runs
    }
}

/// Low-rank products that are worked on together.
private struct LowRankRun {
    var products: Range<Int>
    /// Their columns among all hidden ones.
    var ranks: Range<Int>
    /// Whether they are for the kernels.
    var isNarrow: Bool
}

extension LowRankProduct {
    /// The product as the kernels take it.
    fileprivate var arguments: vitrail_low_rank_product {
        var result = vitrail_low_rank_product()
        result.a = UnsafePointer(a.floatPointer)
        result.b = UnsafePointer(b.floatPointer)
        result.rank = a.shape.rows
        result.first = columns.lowerBound
        result.outputs = columns.count
        result.scale = scale
        return result
    }
}
