/// (x − mean) / √(variance + ε) · weight + bias over the last axis (Ba et al. 2016).
///
/// With x̂ the normalised row and g = dy ⊙ weight: dx = (g − mean(g) − x̂ mean(g x̂)) / √(variance + ε), dweight = Σ dy x̂, dbias = Σ dy.
///
/// - Parameter asFactor: whether only products read the result, which may then be of the back end's `factorType`.
public func layerNorm(
    _ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float, asFactor: Bool = false
) -> Tensor {
    precondition(
        weight.count == x.shape.columns && bias.count == x.shape.columns,
        "layer norm: weight \(weight.shape), bias \(bias.shape) for \(x.shape)")
    let backend = x.backend
    let dtype = backend.resultType(of: x.shape, asFactor: asFactor)
    let y = backend.empty(x.shape, dtype)
    let statistics = backend.empty([x.shape.rows, 2])
    backend.layerNorm(x.matrix, weight: weight, bias: bias, epsilon: epsilon, into: y.matrix, statistics: statistics)
    let value = RemadeValue {
        backend.empty(x.shape, dtype)
    } write: {
        backend.layerNorm(
            x.matrix, weight: weight, bias: bias, epsilon: epsilon, into: $0.matrix,
            statistics: backend.empty(statistics.shape))
    }
    return y.recorded(from: [x.node, weight.node, bias.node]) { gradient in
        withDestinations(x.node, weight.node, bias.node) { xGradient, weightGradient, biasGradient in
            backend.layerNormGradient(
                x.matrix, weight: weight, statistics: statistics, gradient: gradient.matrix,
                into: xGradient.map { ($0.0.matrix, $0.1) }, weightGradient: weightGradient, biasGradient: biasGradient,
                value: value.open().map { ($0.matrix, bias, epsilon) })
        }
    }.withNarrowGradient().remade(by: value)
}

/// x / √(mean(x²) + ε) · weight over the last axis (Zhang & Sennrich 2019).
///
/// With x̂ = x r, r = 1/√(…) and g = dy ⊙ weight: dx = r (g − x̂ mean(g x̂)), dweight = Σ dy x̂.
///
/// - Parameter asFactor: whether only products read the result, which may then be of the back end's `factorType`.
public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float, asFactor: Bool = false) -> Tensor {
    precondition(weight.count == x.shape.columns, "RMS norm: weight \(weight.shape) for \(x.shape)")
    let backend = x.backend
    let dtype = backend.resultType(of: x.shape, asFactor: asFactor)
    let y = backend.empty(x.shape, dtype)
    let statistics = backend.empty([x.shape.rows])
    backend.rmsNorm(x.matrix, weight: weight, epsilon: epsilon, into: y.matrix, statistics: statistics)
    let value = RemadeValue {
        backend.empty(x.shape, dtype)
    } write: {
        backend.rmsNorm(
            x.matrix, weight: weight, epsilon: epsilon, into: $0.matrix,
            statistics: backend.empty(statistics.shape))
    }
    return y.recorded(from: [x.node, weight.node]) { gradient in
        withDestinations(x.node, weight.node, nil) { xGradient, weightGradient, _ in
            backend.rmsNormGradient(
                x.matrix, weight: weight, statistics: statistics, gradient: gradient.matrix,
                into: xGradient.map { ($0.0.matrix, $0.1) }, weightGradient: weightGradient,
                value: value.open().map { ($0.matrix, epsilon) })
        }
    }.withNarrowGradient().remade(by: value)
}

/// Rows scaled to length 1: y = x / max(‖x‖, ε); gradient: (dy − y (y·dy)) / ‖x‖.
public func normalizedRows(_ x: Tensor, epsilon: Float = 1e-12) -> Tensor {
    let backend = x.backend
    let y = backend.empty(x.shape)
    let norms = backend.empty([x.shape.rows])
    backend.normalizeRows(x.matrix, epsilon: epsilon, into: y.matrix, norms: norms)
    let normalized = y.matrix
    let node = x.node
    return y.recorded(from: [node]) { gradient in
        node?.accumulate {
            backend.normalizeRowsGradient(
                normalized: normalized, norms: norms, gradient: gradient.matrix, epsilon: epsilon, into: $0.matrix,
                accumulate: $1)
        }
    }
}

/// Opens the gradients of up to three nodes at once for a kernel that writes them together.
private func withDestinations(
    _ first: GraphNode?, _ second: GraphNode?, _ third: GraphNode?,
    _ body: ((Tensor, accumulate: Bool)?, (Tensor, accumulate: Bool)?, (Tensor, accumulate: Bool)?) -> Void
) {
    func open(_ node: GraphNode?, _ next: ((Tensor, accumulate: Bool)?) -> Void) {
        guard let node else { return next(nil) }
        node.accumulate { next(($0, $1)) }
    }
    open(first) { one in open(second) { two in open(third) { three in body(one, two, three) } } }
}
