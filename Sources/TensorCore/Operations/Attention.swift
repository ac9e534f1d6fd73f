/// softmax(scale · q kᵀ) v over packed segments, for queries, keys and values side by side (Vaswani et al. 2017).
///
/// Scores are never stored: the gradient recomputes them from the kept log-sum-exp (Dao et al. 2022). With p the probabilities:
/// dv = pᵀ dy, ds = p ⊙ (dy vᵀ − Σ dy ⊙ y), dq = scale · ds k, dk = scale · dsᵀ q.
/// - Parameters:
///   - qkv: `[tokens, queryColumns + 2 · keyValueColumns]`, float32 or of the back end's `factorType`.
///   - asFactor: whether only products read the result: it is then stored as `qkv` is.
/// - Returns: `[tokens, queryColumns]`.
public func attention(
    _ qkv: Tensor, heads: HeadLayout, segments: AttentionSegments, asFactor: Bool = false
) -> Tensor {
    let (q, kv) = (heads.queryColumns, heads.keyValueColumns)
    precondition(qkv.shape.columns == q + 2 * kv, "attention: \(qkv.shape) does not hold \(q) + 2 · \(kv) columns")
    precondition(
        segments.queryCount == qkv.shape.rows, "attention: \(segments.queryCount) rows in segments, \(qkv.shape)")
    let backend = qkv.backend
    let y = backend.empty([qkv.shape.rows, q], asFactor ? qkv.dtype : .float32)
    let logSumExp = qkv.node == nil ? nil : backend.empty([qkv.shape.rows, heads.queryHeads])
    func windows(_ tensor: Tensor) -> (Matrix, Matrix, Matrix) {
        let all = tensor.matrix
        return (all.columns(0..<q), all.columns(q..<q + kv), all.columns(q + kv..<q + 2 * kv))
    }
    let (query, key, value) = windows(qkv)
    backend.attention(
        query: query, key: key, value: value, heads: heads, segments: segments, into: y.matrix, logSumExp: logSumExp)
    let output = y.matrix
    return y.recorded(from: [qkv.node]) { gradient in
        let destination = backend.empty(qkv.shape, qkv.dtype)
        let (dq, dk, dv) = windows(destination)
        backend.attentionGradient(
            query: query, key: key, value: value, output: output, logSumExp: logSumExp!, gradient: gradient.matrix,
            heads: heads, segments: segments, intoQuery: dq, key: dk, value: dv)
        qkv.node?.accept(destination)
    }.withNarrowGradient()
}

/// Attention of queries to keys and values that come from elsewhere: a pooling probe, a cross-attention.
///
/// - Parameters:
///   - query: `[queries, queryColumns]`.
///   - keyValue: `[keys, 2 · keyValueColumns]`.
public func attention(query: Tensor, keyValue: Tensor, heads: HeadLayout, segments: AttentionSegments) -> Tensor {
    let kv = heads.keyValueColumns
    precondition(
        query.shape.columns == heads.queryColumns && keyValue.shape.columns == 2 * kv, "attention: wrong columns")
    let backend = query.backend
    let isRecorded = query.node != nil || keyValue.node != nil
    let y = backend.empty(query.shape)
    let logSumExp = isRecorded ? backend.empty([query.shape.rows, heads.queryHeads]) : nil
    let (key, value) = (keyValue.matrix.columns(0..<kv), keyValue.matrix.columns(kv..<2 * kv))
    backend.attention(
        query: query.matrix, key: key, value: value, heads: heads, segments: segments, into: y.matrix,
        logSumExp: logSumExp)
    let output = y.matrix
    return y.recorded(from: [query.node, keyValue.node]) { gradient in
        let dQuery = backend.empty(query.shape)
        let dKeyValue = backend.empty(keyValue.shape)
        backend.attentionGradient(
            query: query.matrix, key: key, value: value, output: output, logSumExp: logSumExp!,
            gradient: gradient.matrix, heads: heads, segments: segments, intoQuery: dQuery.matrix,
            key: dKeyValue.matrix.columns(0..<kv), value: dKeyValue.matrix.columns(kv..<2 * kv))
        query.node?.accept(dQuery)
        keyValue.node?.accept(dKeyValue)
    }
}

/// Turns the first `columns` columns of `x`, heads of `headWidth`, by the angles of their positions; in place unless somebody else
/// looks at the memory.
///
/// The map is orthogonal: its gradient is the same turn backwards.
/// - Parameters:
///   - positions: `[tokens]`, int32.
///   - table: `[positions, headWidth]`, cosines then sines.
public func rotate(_ x: inout Tensor, columns: Int, headWidth: Int, positions: Tensor, table: Tensor) {
    let backend = x.backend
    let source = x.node
    x.node = nil
    func turn(_ tensor: inout Tensor, inverse: Bool) {
        if !tensor.isUniquelyOwned() {
            let copy = backend.empty(tensor.shape, tensor.dtype)
            backend.copy(tensor, into: copy)
            tensor = copy
        }
        backend.rotate(
            tensor.matrix.columns(0..<columns), headWidth: headWidth, positions: positions, table: table,
            inverse: inverse)
    }
    turn(&x, inverse: false)
    x = x.recorded(from: [source]) { gradient in
        turn(&gradient, inverse: true)
        source?.accept(gradient)
    }.withNarrowGradient()
}
