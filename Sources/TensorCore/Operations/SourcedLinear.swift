/// y = x Wᵀ + b for a frozen weight that is made when it is used and made again for the gradient, so that no copy of it lives between.
///
/// Gradients: dx = dy W, db = Σ_rows dy.
public func linear(_ x: Tensor, source: any WeightSource, bias: Tensor? = nil) -> Tensor {
    let backend = x.backend
    precondition(x.shape.columns == source.shape.columns, "linear: input \(x.shape) does not fit \(source.shape)")
    let y = backend.empty(Shape(x.shape.dimensions.dropLast() + [source.shape.rows]))
    // Only products read the weight: what they would round it to is half as much to write.
    let dtype = backend.resultType(of: x.shape, asFactor: true)
    backend.product(
        x.matrix, transposeA: false, source.makeTensor(dtype).matrix, transposeB: true, alpha: 1, bias: bias?.detached,
        into: y.matrix, accumulate: false)
    let (xNode, biasNode) = (x.node, bias?.node)
    return y.recorded(from: [xNode, biasNode]) { gradient in
        biasNode?.accumulate { backend.sumRows(gradient.matrix, nil, into: $0, accumulate: $1) }
        xNode?.accumulate { destination, accumulates in
            backend.product(
                gradient.matrix, transposeA: false, source.makeTensor(dtype).matrix, transposeB: false, alpha: 1,
                bias: nil, into: destination.matrix, accumulate: accumulates)
        }
    }
}

/// The same for several maps of one input, without biases, results side by side: one product.
public func linear(_ x: Tensor, sources: [any WeightSource]) -> Tensor {
    linear(x, source: sources.count == 1 ? sources[0] : JoinedWeights(sources))
}
