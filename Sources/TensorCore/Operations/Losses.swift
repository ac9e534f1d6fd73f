/// scale · Σ over labelled rows of −log softmax(hidden · headᵀ)[label].
///
/// Logits never exist whole: only labelled rows are multiplied, a few hundred at a time, and each chunk's logits are turned into their
/// gradient on the spot (softmax − onehot), from which the gradients of both factors follow while the chunk is in cache. Where
/// there are fewer rows than columns of `hidden`, all logits are smaller than the head's gradient: they are kept instead of it, and
/// it is formed as the head's last, when activations have gone.
/// The result's own upstream gradient must be 1, so scaling is an argument.
/// - Parameters:
///   - hidden: `[tokens, hidden]`.
///   - head: `[vocabulary, hidden]`.
///   - labels: one a token on the host, negative where there is no loss.
///   - rowLosses: receives the loss of each labelled row, in order, unscaled.
/// - Returns: a scalar.
public func crossEntropy(
    _ hidden: Tensor, head: Tensor, labels: [Int32], scale: Float = 1, chunkRows: Int = 256,
    rowLosses: ((Tensor) -> Void)? = nil
) -> Tensor {
    precondition(labels.count == hidden.shape.rows, "cross entropy: \(labels.count) labels for \(hidden.shape)")
    let backend = hidden.backend
    let rows = labels.indices.filter { labels[$0] >= 0 }
    let wantsGradient = hidden.node != nil || head.node != nil
    let losses = backend.empty([rows.count])
    let rowIndices = Tensor(rows.map(Int32.init), on: backend)
    let kept = Tensor(rows.map { labels[$0] }, on: backend)
    let states = backend.empty([rows.count, hidden.shape.columns])
    backend.gatherRows(hidden.matrix, indices: rowIndices, into: states.matrix, accumulate: false)
    let statesGradient = hidden.node == nil ? nil : backend.empty(states.shape)
    let waits = rows.count < hidden.shape.columns
    var waiting: [(logits: Tensor, states: Tensor)] = []
    func formHeadGradient(_ logits: Tensor, _ states: Tensor) {
        head.node?.accumulate {
            backend.product(
                logits.matrix, transposeA: true, states.matrix, transposeB: false, alpha: 1, bias: nil, into: $0.matrix,
                accumulate: $1)
        }
    }

    for start in stride(from: 0, to: rows.count, by: chunkRows) {
        let range = start..<min(start + chunkRows, rows.count)
        let chunk = states.rows(range)
        let logits = backend.empty([range.count, head.shape.rows])
        backend.product(
            chunk.matrix, transposeA: false, head.matrix, transposeB: true, alpha: 1, bias: nil, into: logits.matrix,
            accumulate: false)
        backend.softmaxCrossEntropy(
            logits.matrix, labels: kept.rows(range), losses: losses.rows(range),
            gradientScale: wantsGradient ? scale : nil)
        if waits && head.node != nil {
            waiting.append((logits, chunk))
        } else {
            formHeadGradient(logits, chunk)
        }
        if let statesGradient {
            // In parts of the vocabulary: a product may pack its operands, and these are the largest of a step.
            let destination = statesGradient.rows(range).matrix
            for first in stride(from: 0, to: head.shape.rows, by: 16_384) {
                let words = first..<min(first + 16_384, head.shape.rows)
                backend.product(
                    logits.matrix.columns(words), transposeA: false, head.matrix.rows(words), transposeB: false,
                    alpha: 1, bias: nil, into: destination, accumulate: first > 0)
            }
        }
    }
    rowLosses?(losses)
    let node = hidden.node
    let last =
        waiting.isEmpty
        ? nil
        : GraphNode(shape: [], backend: backend, inputs: [head.node!]) { _ in
            for (logits, states) in waiting { formHeadGradient(logits, states) }
            waiting = []
        }
    // The walk takes the last input first, with all that is behind it; where the head is the table of embeddings as well, it comes
    // back when those have sent theirs.
    head.node?.lastContributor = last
    return total(losses, scale: scale).recorded(from: [last ?? head.node, node]) { seed in
        requireUnitSeed(seed)
        last?.accept(seed)
        guard let node, let statesGradient else { return }
        node.accumulate { destination, accumulates in
            if !accumulates { backend.fill(destination, 0) }
            backend.scatterAddRows(statesGradient.matrix, indices: rowIndices, into: destination.matrix)
        }
    }
}

/// scale · Σ over labelled rows of −log softmax(logits)[label]; gradient: scale · (softmax − onehot).
public func crossEntropy(logits: Tensor, labels: [Int32], scale: Float = 1) -> Tensor {
    precondition(labels.count == logits.shape.rows, "cross entropy: \(labels.count) labels for \(logits.shape)")
    let backend = logits.backend
    let losses = backend.empty([labels.count])
    let gradient = backend.empty(logits.shape)
    backend.copy(logits, into: gradient)
    backend.softmaxCrossEntropy(
        gradient.matrix, labels: Tensor(labels, on: backend), losses: losses, gradientScale: scale)
    let node = logits.node
    return total(losses, scale: scale).recorded(from: [node]) { seed in
        requireUnitSeed(seed)
        node?.accept(gradient)
    }
}

/// SigLIP's loss over a batch of n pictures and m texts (Zhai et al. 2023): each pair is one binary question.
///
/// z = exp(logTemperature) · images · textsᵀ + bias. With D = d loss / d z: dimages = t D texts, dtexts = t Dᵀ images,
/// dlogTemperature = t Σ D ⊙ s, dbias = Σ D.
/// - Parameters:
///   - images: `[n, width]`, rows of length 1.
///   - texts: `[m, width]`, rows of length 1.
///   - targets: `[n, m]`, 1 where the text is true of the picture and −1 elsewhere.
///   - logTemperature: scalar.
///   - bias: scalar.
public func sigmoidContrastiveLoss(
    images: Tensor, texts: Tensor, targets: Tensor, logTemperature: Tensor, bias: Tensor
) -> Tensor {
    let backend = images.backend
    let (n, m) = (images.shape.rows, texts.shape.rows)
    precondition(
        texts.shape.columns == images.shape.columns && targets.shape == [n, m],
        "contrastive loss: pictures \(images.shape), texts \(texts.shape), targets \(targets.shape)")
    func product(_ a: Matrix, _ ta: Bool, _ b: Matrix, _ tb: Bool, _ alpha: Float, _ c: Tensor, _ accumulates: Bool) {
        backend.product(
            a, transposeA: ta, b, transposeB: tb, alpha: alpha, bias: nil, into: c.matrix, accumulate: accumulates)
    }
    let temperature = Scalar.exp(logTemperature.scalar)
    let similarities = backend.empty([n, m])
    product(images.matrix, false, texts.matrix, true, 1, similarities, false)
    let upstream = backend.empty([n, m])
    backend.copy(similarities, into: upstream)
    let losses = backend.empty([n])
    backend.pairwiseSigmoidLoss(
        upstream.matrix, targets: targets.matrix, temperature: temperature, bias: bias.scalar, losses: losses)
    return total(losses, scale: 1).recorded(from: [images.node, texts.node, logTemperature.node, bias.node]) { seed in
        requireUnitSeed(seed)
        images.node?.accumulate { product(upstream.matrix, false, texts.matrix, false, temperature, $0, $1) }
        texts.node?.accumulate { product(upstream.matrix, true, images.matrix, false, temperature, $0, $1) }
        let ones = backend.empty(upstream.shape)
        backend.fill(ones, 1)
        func sum(_ other: Tensor, _ factor: Float, _ node: GraphNode?) {
            node?.accumulate { destination, accumulates in
                let columns = backend.empty([m])
                backend.sumRows(upstream.matrix, other.matrix, into: columns, accumulate: false)
                let value = total(columns, scale: factor)
                backend.scale(value.reshaped(destination.shape), by: 1, into: destination, accumulate: accumulates)
            }
        }
        sum(similarities, temperature, logTemperature.node)
        sum(ones, 1, bias.node)
    }
}

/// scale · Σ values as a scalar tensor, summed in double on the host.
private func total(_ values: Tensor, scale: Float) -> Tensor {
    let sum = values.floats.reduce(0.0) { $0 + Double($1) }
    return Tensor([Float(sum * Double(scale))], shape: [], on: values.backend)
}

/// Losses compute their gradients in the forward pass, for an upstream gradient of 1.
private func requireUnitSeed(_ seed: Tensor) {
    precondition(seed.scalar == 1, "a loss is the root of its graph: scale it with its argument, not afterwards")
}
