/// y = x Wᵀ + b for a frozen weight that is made when it is used and made again for the gradient, so that no copy of it lives between.
///
/// Gradients: dx = dy W, db = Σ_rows dy.
public func linear(_ x: Tensor, source: any WeightSource, bias: Tensor? = nil) -> Tensor {
    let backend = x.backend
    let weight = source.makeTensor()
    precondition(x.shape.columns == weight.shape.columns, "linear: input \(x.shape) does not fit \(weight.shape)")
    let y = backend.empty(Shape(x.shape.dimensions.dropLast() + [weight.shape.rows]))
    backend.product(
        x.matrix, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: bias?.detached, into: y.matrix,
        accumulate: false)
    let (xNode, biasNode) = (x.node, bias?.node)
    return y.recorded(from: [xNode, biasNode]) { gradient in
        biasNode?.accumulate { backend.sumRows(gradient.matrix, nil, into: $0, accumulate: $1) }
        xNode?.accumulate { destination, accumulates in
            backend.product(
                gradient.matrix, transposeA: false, source.makeTensor().matrix, transposeB: false, alpha: 1, bias: nil,
                into: destination.matrix, accumulate: accumulates)
        }
    }
}
