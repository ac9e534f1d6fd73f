/// Rows of a table: y[i] = table[indices[i]], zeros for negative indices; gradient: dtable[indices[i]] += dy[i].
///
/// Token embeddings, positions, dropping the class token and pixel shuffle are all this operation.
public func gatherRows(_ table: Tensor, indices: Tensor) -> Tensor {
    let backend = table.backend
    let y = backend.empty([indices.count, table.shape.columns])
    backend.gatherRows(table.matrix, indices: indices, into: y.matrix, accumulate: false)
    let node = table.node
    return y.recorded(from: [node]) { gradient in
        node?.accumulateRows(gradient, indices: indices)
    }
}

/// Token embeddings with visual tokens written where the placeholders stand.
///
/// y[i] = table[ids[i]] where ids[i] ≥ 0; y[rows[j]] = features[j]. Gradients: dtable[ids[i]] += dy[i], dfeatures[j] = dy[rows[j]].
/// - Parameters:
///   - table: `[vocabulary, hidden]`.
///   - ids: `[tokens]`, negative at placeholders.
///   - features: `[visual tokens, hidden]`, nil in a batch without pictures.
///   - rows: `[visual tokens]`, the placeholders' places.
///   - paddingID: a row of the table that gets no gradient, as `torch.nn.Embedding` has it.
public func embedded(_ table: Tensor, ids: Tensor, features: Tensor?, rows: Tensor?, paddingID: Int32? = nil) -> Tensor
{
    let backend = table.backend
    let y = backend.empty([ids.count, table.shape.columns])
    backend.gatherRows(table.matrix, indices: ids, into: y.matrix, accumulate: false)
    if let features, let rows {
        precondition(
            features.shape.rows == rows.count && features.shape.columns == table.shape.columns,
            "embed: features \(features.shape) for \(rows.count) places of width \(table.shape.columns)")
        backend.scatterRows(features.matrix, indices: rows, into: y.matrix)
    }
    let (tableNode, featuresNode) = (table.node, features?.node)
    // The walk takes the last input first: the table is complete before what made the features.
    return y.recorded(from: [featuresNode, tableNode]) { gradient in
        if let rows {
            featuresNode?.accumulate {
                backend.gatherRows(gradient.matrix, indices: rows, into: $0.matrix, accumulate: $1)
            }
        }
        guard let tableNode else { return }
        var learned = ids
        if let paddingID {
            learned = Tensor(ids.integers.map { $0 == paddingID ? -1 : $0 }, on: backend)
        }
        tableNode.accumulateRows(gradient, indices: learned)
    }
}

/// The mean of each segment's rows, `[rows, hidden]` → `[segments, hidden]`; gradient: dy[s] / count to every row of s.
public func meanRows(_ x: Tensor, offsets: [Int32]) -> Tensor {
    let backend = x.backend
    let bounds = Tensor(offsets, on: backend)
    let y = backend.empty([offsets.count - 1, x.shape.columns])
    backend.meanRows(x.matrix, offsets: bounds, into: y.matrix)
    let node = x.node
    return y.recorded(from: [node]) { gradient in
        node?.accumulate {
            backend.meanRowsGradient(gradient.matrix, offsets: bounds, into: $0.matrix, accumulate: $1)
        }
    }
}

/// Pictures cut into patches, `[images, channels, height, width]` → `[images · patches, channels · patch²]`.
///
/// A convolution whose stride is its kernel is this and a product (Dosovitskiy et al. 2021).
public func patches(_ images: Tensor, patchSize: Int) -> Tensor {
    precondition(
        images.shape.rank == 4 && images.shape[2] % patchSize == 0 && images.shape[3] % patchSize == 0,
        "patches: \(images.shape) does not divide into patches of \(patchSize)")
    let backend = images.backend
    let count = images.shape[0] * (images.shape[2] / patchSize) * (images.shape[3] / patchSize)
    let y = backend.empty([count, images.shape[1] * patchSize * patchSize])
    backend.patches(images, patchSize: patchSize, into: y.matrix)
    let node = images.node
    return y.recorded(from: [node]) { gradient in
        node?.accumulate {
            backend.patchesGradient(gradient.matrix, patchSize: patchSize, into: $0, accumulate: $1)
        }
    }
}

extension GraphNode {
    /// Adds gradient rows to rows of a table's gradient.
    fileprivate func accumulateRows(_ gradient: Tensor, indices: Tensor) {
        accumulate { destination, accumulates in
            if !accumulates { backend.fill(destination, 0) }
            backend.scatterAddRows(gradient.matrix, indices: indices, into: destination.matrix)
        }
    }
}
