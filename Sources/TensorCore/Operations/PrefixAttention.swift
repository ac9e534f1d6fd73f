/// Attention with learned keys and values in front of each segment's own (Li & Liang 2021), seen by every query.
///
/// Gradients are those of attention; a prefix row, used by all segments, gets the sum over them.
/// - Parameters:
///   - qkv: `[tokens, queryColumns + 2 · keyValueColumns]`; keys stand at the same rows as their queries.
///   - prefix: `[count, 2 · keyValueColumns]`, keys then values.
/// - Returns: `[tokens, queryColumns]`.
public func attention(_ qkv: Tensor, prefix: Tensor, heads: HeadLayout, segments: AttentionSegments) -> Tensor {
    let (q, kv) = (heads.queryColumns, heads.keyValueColumns)
    let count = prefix.shape.rows
    precondition(prefix.shape.columns == 2 * kv, "attention: prefix \(prefix.shape) does not hold 2 · \(kv) columns")
    let backend = qkv.backend
    // Where each token's and each copy of the prefix's keys stand.
    var tokenPlaces: [Int32] = []
    var prefixPlaces: [Int32] = []
    var starts: [Int32] = []
    var counts: [Int32] = []
    var next: Int32 = 0
    for (start, end) in zip(segments.queryOffsets, segments.queryOffsets.dropFirst()) {
        starts.append(next)
        counts.append(Int32(count) + end - start)
        prefixPlaces += next..<next + Int32(count)
        next += Int32(count)
        tokenPlaces += next..<next + (end - start)
        next += end - start
    }
    let places = Tensor(tokenPlaces, on: backend)
    let copies = Tensor(prefixPlaces, on: backend)
    let repeated = Tensor((0..<segments.count).flatMap { _ in (0..<Int32(count)) }, on: backend)
    var all = AttentionSegments(
        queryOffsets: segments.queryOffsets, keyStarts: starts, keyCounts: counts, isCausal: segments.isCausal,
        prefixCounts: segments.prefixCounts.map { $0.map { $0 + Int32(count) } })
    all.window = segments.window
    let keyValue = backend.empty([Int(next), 2 * kv])
    backend.scatterRows(qkv.matrix.columns(q..<q + 2 * kv), indices: places, into: keyValue.matrix)
    let rows = backend.empty([segments.count * count, 2 * kv])
    backend.gatherRows(prefix.matrix, indices: repeated, into: rows.matrix, accumulate: false)
    backend.scatterRows(rows.matrix, indices: copies, into: keyValue.matrix)

    let (qNode, prefixNode) = (qkv.node, prefix.node)
    let y = backend.empty([qkv.shape.rows, q])
    let logSumExp = qNode == nil && prefixNode == nil ? nil : backend.empty([qkv.shape.rows, heads.queryHeads])
    let query = qkv.matrix.columns(0..<q)
    let (key, value) = (keyValue.matrix.columns(0..<kv), keyValue.matrix.columns(kv..<2 * kv))
    backend.attention(
        query: query, key: key, value: value, heads: heads, segments: all, into: y.matrix, logSumExp: logSumExp)
    let (output, shape) = (y.matrix, qkv.shape)
    return y.recorded(from: [qNode, prefixNode]) { gradient in
        let destination = backend.empty(shape)
        let keyValueGradient = backend.empty(keyValue.shape)
        backend.attentionGradient(
            query: query, key: key, value: value, output: output, logSumExp: logSumExp!, gradient: gradient.matrix,
            heads: heads, segments: all, intoQuery: destination.matrix.columns(0..<q),
            key: keyValueGradient.matrix.columns(0..<kv), value: keyValueGradient.matrix.columns(kv..<2 * kv))
        backend.gatherRows(
            keyValueGradient.matrix, indices: places, into: destination.matrix.columns(q..<q + 2 * kv),
            accumulate: false)
        qNode?.accept(destination)
        prefixNode?.accumulate { sum, accumulates in
            if !accumulates { backend.fill(sum, 0) }
            let own = backend.empty([segments.count * count, 2 * kv])
            backend.gatherRows(keyValueGradient.matrix, indices: copies, into: own.matrix, accumulate: false)
            backend.scatterAddRows(own.matrix, indices: repeated, into: sum.matrix)
        }
    }
}
