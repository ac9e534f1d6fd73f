/// y = x Wᵀ + b.
///
/// - Parameters:
///   - x: `[…, inputs]`.
///   - weight: `[outputs, inputs]`, in any weight dtype.
///   - bias: `[outputs]`.
///   - asFactor: whether only an activation function or attention reads the result, in whose products factors are rounded: it
///     and its gradient may then be of the back end's `factorType`.
/// - Returns: `[…, outputs]`.
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil, asFactor: Bool = false) -> Tensor {
    linear(x, weights: [weight], biases: [bias], asFactor: asFactor)
}

/// y = x Wᵀ + b for several maps of the same input, results side by side: queries, keys and values, or gate and up.
///
/// Weights that stand one after another in memory are multiplied as one. Gradients: dx = Σ dy W; for each map that wants one,
/// dW = dyᵀ x and db = Σ_rows dy.
/// - Parameters:
///   - x: `[…, inputs]`.
///   - weights: `[outputs, inputs]` each.
///   - biases: `[outputs]` each, or nil.
///   - asFactor: as above.
///   - groups: low-rank products that are added, with their gradients, by the same node.
/// - Returns: `[…, Σ outputs]`.
public func linear(
    _ x: Tensor, weights: [Tensor], biases: [Tensor?], asFactor: Bool = false, adding groups: [LowRankGroup] = []
) -> Tensor {
    precondition(weights.count == biases.count, "linear: \(weights.count) weights, \(biases.count) biases")
    for (weight, bias) in zip(weights, biases) {
        precondition(x.shape.columns == weight.shape.columns, "linear: input \(x.shape) does not fit \(weight.shape)")
        precondition(bias.map { $0.count == weight.shape.rows } ?? true, "linear: bias does not fit \(weight.shape)")
    }
    let backend = x.backend
    if weights.count == 1, x.node == nil, weights[0].node == nil, biases[0]?.node == nil, groups.isEmpty {
        // Nobody wants gradients of one map: generation comes here four times a layer for every token.
        let shape = Shape(x.shape.dimensions.dropLast() + [weights[0].shape.rows])
        let y = backend.empty(shape, backend.resultType(of: shape, asFactor: asFactor))
        backend.product(
            x.matrix, transposeA: false, weights[0].matrix, transposeB: true, alpha: 1, bias: biases[0], into: y.matrix,
            accumulate: false)
        return y
    }
    let runs = adjacentRuns(weights.map(\.detached), biases.map { $0?.detached })
    let outputs = runs.last?.columns.upperBound ?? 0
    let shape = Shape(x.shape.dimensions.dropLast() + [outputs])
    let dtype = backend.resultType(of: shape, asFactor: asFactor)
    let additions = groups.map(LowRankAddition.init)
    func multiply(_ x: Matrix) -> Tensor {
        let y = backend.empty(shape, dtype)
        for run in runs {
            backend.product(
                x, transposeA: false, run.weight.matrix, transposeB: true, alpha: 1, bias: run.bias,
                into: y.matrix.columns(run.columns), accumulate: false)
        }
        for addition in additions { addition.add(to: y) }
        return y
    }
    let y = multiply(x.matrix)
    let source = x.node
    let weightNodes = weights.map(\.node)
    let biasNodes = biases.map { $0?.node }
    let addedNodes = additions.flatMap(\.nodes)
    if ([source] + weightNodes + biasNodes + addedNodes).allSatisfy({ $0 == nil }) { return y }
    let widths = weights.map(\.shape.rows)
    // Weights that nobody trains need no input.
    let input = weightNodes.contains { $0 != nil } ? KeptValue(x) : nil
    // One product for neighbours: the input is read once.
    func addWeightProducts(_ dy: Matrix, _ input: Matrix, to calls: inout [ProductCall]) {
        for run in runs {
            let first = run.columns.lowerBound
            Parameter.accumulate(weightNodes[run.maps], rows: widths[run.maps]) { rows, destination, accumulates in
                calls.append(
                    ProductCall(
                        dy.columns(first + rows.lowerBound..<first + rows.upperBound), transposeA: true, input,
                        transposeB: false, into: destination.matrix, accumulate: accumulates))
            }
        }
    }
    let reader = InputReader(x, dy: shape, to: weightNodes, addWeightProducts)
    func addProducts(_ gradient: Tensor, to calls: inout [ProductCall]) {
        let dy = gradient.matrix
        if reader == nil, let input { addWeightProducts(dy, input.tensor.matrix, to: &calls) }
        source?.accumulate { destination, accumulates in
            for (index, run) in runs.enumerated() {
                calls.append(
                    ProductCall(
                        dy.columns(run.columns), transposeA: false, run.weight.matrix, transposeB: false,
                        into: destination.matrix, accumulate: accumulates || index > 0))
            }
        }
    }
    let inputs = [source] + (reader.map { [$0] } ?? weightNodes) + biasNodes + addedNodes
    return y.recorded(from: inputs, products: addProducts) { gradient in
        let dy = gradient.matrix
        reader?.accept(gradient)
        for run in runs {
            // Likewise one sum of rows.
            let first = run.columns.lowerBound
            Parameter.accumulate(biasNodes[run.maps], rows: widths[run.maps]) { rows, destination, accumulates in
                backend.sumRows(
                    dy.columns(first + rows.lowerBound..<first + rows.upperBound), nil, into: destination,
                    accumulate: accumulates)
            }
        }
        for addition in additions { addition.sendGradients(of: gradient) }
    }.withNarrowGradient().repeated(by: { [input = input ?? KeptValue(x)] in multiply(input.tensor.matrix) })
}

/// Maps that one product can serve.
private struct LinearRun {
    var weight: Tensor
    var bias: Tensor?
    var columns: Range<Int>
    /// Which maps they are.
    var maps: Range<Int>
}

/// Joins neighbours whose weights, and biases if any, follow each other in memory.
private func adjacentRuns(_ weights: [Tensor], _ biases: [Tensor?]) -> [LinearRun] {
    var runs: [LinearRun] = []
    var start = 0
    for (index, (weight, bias)) in zip(weights, biases).enumerated() {
        let columns = start..<start + weight.shape.rows
        start = columns.upperBound
        if let last = runs.last, let joined = last.weight.joined(with: weight) {
            if let first = last.bias, let second = bias, let joinedBias = first.joined(with: second) {
                runs[runs.count - 1] = LinearRun(
                    weight: joined, bias: joinedBias, columns: last.columns.lowerBound..<columns.upperBound,
                    maps: last.maps.lowerBound..<index + 1)
                continue
            }
            if last.bias == nil && bias == nil {
                runs[runs.count - 1] = LinearRun(
                    weight: joined, bias: nil, columns: last.columns.lowerBound..<columns.upperBound,
                    maps: last.maps.lowerBound..<index + 1)
                continue
            }
        }
        runs.append(LinearRun(weight: weight, bias: bias, columns: columns, maps: index..<index + 1))
    }
    return runs
}

extension Tensor {
    /// This tensor and `next` as one, when `next` begins where this ends; rows add up.
    package func joined(with next: Tensor) -> Tensor? {
        guard storage === next.storage, dtype == next.dtype,
            shape.dimensions.dropFirst() == next.shape.dimensions.dropFirst(),
            count % dtype.blockLength == 0, byteOffset + dtype.byteCount(of: count) == next.byteOffset
        else { return nil }
        return Tensor(
            shape: Shape([shape[0] + next.shape[0]] + shape.dimensions.dropFirst()), dtype: dtype, storage: storage,
            byteOffset: byteOffset)
    }
}
