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
    multiply(
        x.matrix, by: source, transposed: true, bias: bias?.detached, addend: residual?.matrix, into: y.matrix,
        accumulate: false)
    let additions = groups.map(LowRankAddition.init)
    for addition in additions { addition.add(to: y) }
    let (xNode, biasNode, residualNode) = (x.node, bias?.node, residual?.node)
    return y.recorded(from: [xNode, biasNode, residualNode] + additions.flatMap(\.nodes)) { gradient in
        biasNode?.accumulate { backend.sumRows(gradient.matrix, nil, into: $0, accumulate: $1) }
        xNode?.accumulate { destination, accumulates in
            multiply(
                gradient.matrix, by: source, transposed: false, bias: nil, addend: nil, into: destination.matrix,
                accumulate: accumulates)
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

/// y = a Wᵀ + b + addend, or a W (+ y), where products read codes as they are if they can.
private func multiply(
    _ a: Matrix, by source: any WeightSource, transposed: Bool, bias: Tensor?, addend: Matrix?, into y: Matrix,
    accumulate: Bool
) {
    let backend = source.backend
    if let coded = source.coded {
        backend.codedProduct(
            a, coded, transposed: transposed, bias: bias, addend: addend, into: y, accumulate: accumulate)
        return
    }
    // Only this product reads the weight: what it would round it to is half as much to write.
    let weight = source.makeTensor(backend.resultType(of: [a.rows, a.columns], asFactor: true)).matrix
    if transposed {
        backend.linearMap(a, weight: weight, bias: bias, addend: addend, activation: nil, into: y)
    } else {
        backend.product(
            a, transposeA: false, weight, transposeB: false, alpha: 1, bias: bias, into: y, accumulate: accumulate)
    }
}
