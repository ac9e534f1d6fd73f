/// x Wᵀ + b + residual: a map back into the residual stream, with the sum.
///
/// Gradients are those of `linear`; the residual receives the result's own, without a copy.
/// - Parameters:
///   - x: `[…, inputs]`.
///   - weight: `[outputs, inputs]`, in any weight dtype.
///   - bias: `[outputs]`.
///   - residual: `[…, outputs]`.
///   - groups: low-rank products that are added, with their gradients, by the same node.
public func linear(
    _ x: Tensor, weight: Tensor, bias: Tensor?, addedTo residual: Tensor, adding groups: [LowRankGroup] = []
) -> Tensor {
    precondition(
        x.shape.columns == weight.shape.columns && residual.shape.columns == weight.shape.rows
            && residual.shape.rows == x.shape.rows && bias.map { $0.count == weight.shape.rows } ?? true,
        "linear: input \(x.shape), weight \(weight.shape) and residual \(residual.shape) do not fit")
    let backend = x.backend
    let y = backend.empty(residual.shape)
    backend.linearMap(
        x.matrix, weight: weight.matrix, bias: bias, addend: residual.matrix, activation: nil, into: y.matrix)
    let additions = groups.map(LowRankAddition.init)
    for addition in additions { addition.add(to: y) }
    let (source, weightNode, biasNode, residualNode) = (x.node, weight.node, bias?.node, residual.node)
    let input = weightNode == nil ? nil : KeptValue(x)
    let factor = weight.detached
    func addWeightProduct(_ dy: Matrix, _ input: Matrix, to calls: inout [ProductCall]) {
        weightNode?.accumulate { destination, accumulates in
            calls.append(
                ProductCall(
                    dy, transposeA: true, input, transposeB: false, into: destination.matrix, accumulate: accumulates))
        }
    }
    let reader = InputReader(x, dy: y.shape, to: [weightNode], addWeightProduct)
    func addProducts(_ gradient: Tensor, to calls: inout [ProductCall]) {
        let dy = gradient.matrix
        if reader == nil, let input { addWeightProduct(dy, input.tensor.matrix, to: &calls) }
        source?.accumulate { destination, accumulates in
            calls.append(
                ProductCall(
                    dy, transposeA: false, factor.matrix, transposeB: false, into: destination.matrix,
                    accumulate: accumulates))
        }
    }
    let nodes = [source, reader ?? weightNode, biasNode, residualNode] + additions.flatMap(\.nodes)
    return y.recorded(from: nodes, products: addProducts) { gradient in
        reader?.accept(gradient)
        biasNode?.accumulate { backend.sumRows(gradient.matrix, nil, into: $0, accumulate: $1) }
        for addition in additions { addition.sendGradients(of: gradient) }
        residualNode?.accept(gradient)
    }
}

/// function(x Wᵀ + b).
///
/// Where nobody wants gradients it is one kernel, and the value before the function is never written. Otherwise it is both
/// operations, with their gradients.
/// - Parameter asFactor: whether only products read the result, which may then be of the back end's `factorType`.
public func activatedLinear(
    _ function: Activation, _ x: Tensor, weight: Tensor, bias: Tensor?, asFactor: Bool = false
) -> Tensor {
    guard x.node == nil, weight.node == nil, bias?.node == nil else {
        return activation(function, linear(x, weight: weight, bias: bias, asFactor: true), asFactor: asFactor)
    }
    precondition(x.shape.columns == weight.shape.columns, "linear: input \(x.shape) does not fit \(weight.shape)")
    let backend = x.backend
    let shape = Shape(x.shape.dimensions.dropLast() + [weight.shape.rows])
    let y = backend.empty(shape, backend.resultType(of: shape, asFactor: asFactor))
    backend.linearMap(
        x.matrix, weight: weight.matrix, bias: bias, addend: nil, activation: function, into: y.matrix)
    return y
}

extension Backend {
    /// What a result is stored in: a few rows stay float32, since products stream weights past them.
    package func resultType(of shape: Shape, asFactor: Bool) -> DType {
        asFactor && shape.rows > streamedRows ? factorType : .float32
    }

    /// 16.
    public var streamedRows: Int { 16 }
}

/// Up to how many rows weights are streamed past them.
package enum RowStreaming {
    /// Whether it is as many as a back end can serve so, for sequences of several batches that go on together: their sums then add up
    /// as those of one batch do.
    @TaskLocal package static var isWide = false

    /// Runs `body` with as many rows as a back end can serve.
    package static func widened<Result>(_ body: () throws -> Result) rethrows -> Result {
        try $isWide.withValue(true, operation: body)
    }
}
