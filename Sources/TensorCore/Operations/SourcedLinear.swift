/// y = x Wᵀ + b for a frozen weight that is made when it is used and made again for the gradient, so that no copy of it lives between.
///
/// Gradients: dx = dy W, db = Σ_rows dy.
/// - Parameters:
///   - residual: what the result is added to, `[…, outputs]`; its gradient is the result's own.
///   - asFactor: as in `linear`; without effect where there is a residual.
///   - groups: low-rank products that are added, with their gradients, by the same node.
public func linear(
    _ x: Tensor, source: any WeightSource, bias: Tensor? = nil, addedTo residual: Tensor? = nil, asFactor: Bool = false,
    adding groups: [LowRankGroup] = []
) -> Tensor {
    let backend = x.backend
    precondition(x.shape.columns == source.shape.columns, "linear: input \(x.shape) does not fit \(source.shape)")
    let shape = Shape(x.shape.dimensions.dropLast() + [source.shape.rows])
    let y = backend.empty(shape, backend.resultType(of: shape, asFactor: asFactor && residual == nil))
    // Only products read the weight: what they would round it to is half as much to write.
    let dtype = backend.resultType(of: x.shape, asFactor: true)
    backend.linearMap(
        x.matrix, weight: source.makeTensor(dtype).matrix, bias: bias?.detached, addend: residual?.matrix,
        activation: nil, into: y.matrix)
    let additions = groups.map(LowRankAddition.init)
    for addition in additions { addition.add(to: y) }
    let (xNode, biasNode, residualNode) = (x.node, bias?.node, residual?.node)
    return y.recorded(from: [xNode, biasNode, residualNode] + additions.flatMap(\.nodes)) { gradient in
        biasNode?.accumulate { backend.sumRows(gradient.matrix, nil, into: $0, accumulate: $1) }
        xNode?.accumulate { destination, accumulates in
            backend.product(
                gradient.matrix, transposeA: false, source.makeTensor(dtype).matrix, transposeB: false, alpha: 1,
                bias: nil, into: destination.matrix, accumulate: accumulates)
        }
        for addition in additions { addition.sendGradients(of: gradient) }
        residualNode?.accept(gradient)
    }.withNarrowGradient()
}

/// The same for several maps of one input, without biases, results side by side: one product.
public func linear(
    _ x: Tensor, sources: [any WeightSource], asFactor: Bool = false, adding groups: [LowRankGroup] = []
) -> Tensor {
    linear(x, source: sources.count == 1 ? sources[0] : JoinedWeights(sources), asFactor: asFactor, adding: groups)
}
