public import TensorCore

/// Keys and values of earlier tokens, in generation.
public protocol AttentionCache {
    /// Stores the new tokens' keys and values and attends over all of them.
    ///
    /// - Parameters:
    ///   - qkv: queries, keys and values of the new tokens side by side.
    ///   - queries: the rows whose queries attend; nil for all.
    ///   - y: receives the result, `[queries, queryColumns]`.
    func attend(
        _ qkv: Matrix, queries: Tensor?, heads: HeadLayout, segments: AttentionSegments, layer: Int,
        on backend: any Backend, into y: Matrix)
}

extension AttentionCache {
    /// - Parameter asFactor: whether only products read the result.
    func attend(
        _ qkv: Tensor, queries: Tensor? = nil, heads: HeadLayout, segments: AttentionSegments, layer: Int,
        asFactor: Bool
    ) -> Tensor {
        let backend = qkv.backend
        let shape: Shape = [segments.queryCount, heads.queryColumns]
        let isFactor = asFactor && backend.attentionTakesFactors && segments.window == nil
        let y = backend.empty(shape, backend.resultType(of: shape, asFactor: isFactor))
        attend(
            qkv.matrix, queries: queries, heads: heads, segments: segments, layer: layer, on: backend, into: y.matrix)
        return y
    }
}

/// Caches of batches that go on together, a token a sequence: linear maps read their weights once for all of them, and attention
/// stays each batch's own.
package struct JoinedCache: AttentionCache {
    private let parts: [(cache: KeyValueCache, segments: AttentionSegments)]

    /// Caches with the segments that they were last extended by; rows of the first stand in front.
    package init(_ parts: [(cache: KeyValueCache, segments: AttentionSegments)]) { self.parts = parts }

    /// What every sequence's query sees, numbered through.
    package var segments: AttentionSegments {
        AttentionSegments(
            queryOffsets: (0...Int32(parts.reduce(0) { $0 + $1.segments.queryCount })).map { $0 },
            keyStarts: parts.flatMap(\.segments.keyStarts), keyCounts: parts.flatMap(\.segments.keyCounts),
            isCausal: true)
    }

    package func attend(
        _ qkv: Matrix, queries: Tensor?, heads: HeadLayout, segments: AttentionSegments, layer: Int,
        on backend: any Backend, into y: Matrix
    ) {
        precondition(queries == nil, "joined caches: a query a row")
        var first = 0
        for part in parts {
            let rows = first..<first + part.segments.queryCount
            var own = part.segments
            own.window = segments.window
            part.cache.attend(
                qkv.rows(rows), queries: nil, heads: heads, segments: own, layer: layer, on: backend, into: y.rows(rows)
            )
            first = rows.upperBound
        }
    }
}
