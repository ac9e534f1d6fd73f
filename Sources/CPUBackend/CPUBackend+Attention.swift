import CKernels
public import TensorCore

extension CPUBackend {
    /// Online softmax over blocks of keys (Dao et al. 2022): scores never leave the second-level cache. A unit of work is a
    /// run of queries of one segment and key-value head; segments of up to four queries split their keys instead. In bfloat16
    /// precision its products round their factors where the processor has tiles for that. Keys and values may be bfloat16, both.
    public func attention(
        query: Matrix, key: Matrix, value: Matrix, heads: HeadLayout, segments: AttentionSegments,
        into destination: Matrix, logSumExp: Tensor?
    ) {
        precondition(key.dtype == value.dtype, "keys are \(key.dtype) and values \(value.dtype)")
        segments.withLayout(heads, inBFloat16: products == .bfloat16, keys: key.dtype) {
            vitrail_attention(
                pool, $0, query.window, key.target, value.target, destination.window, logSumExp?.floatPointer)
        }
    }

    /// Probabilities are computed anew from `logSumExp`. A unit of work owns the gradients of one segment's keys and values for
    /// one head, or a part of them that is added in order.
    public func attentionGradient(
        query: Matrix, key: Matrix, value: Matrix, output: Matrix, logSumExp: Tensor, gradient: Matrix,
        heads: HeadLayout, segments: AttentionSegments, intoQuery: Matrix, key intoKey: Matrix, value intoValue: Matrix
    ) {
        segments.withLayout(heads, inBFloat16: products == .bfloat16, keys: .float32) {
            vitrail_attention_gradient(
                pool, $0, query.window, key.window, value.window, output.window, logSumExp.floatPointer,
                gradient.window, intoQuery.window, intoKey.window, intoValue.window)
        }
    }
}

extension AttentionSegments {
    /// Calls `body` with the kernels' form of the segments, valid during the call.
    func withLayout(
        _ heads: HeadLayout, inBFloat16: Bool, keys: DType, _ body: (UnsafePointer<vitrail_attention_layout>) -> Void
    ) {
        queryOffsets.withUnsafeBufferPointer { offsets in
            keyStarts.withUnsafeBufferPointer { starts in
                keyCounts.withUnsafeBufferPointer { counts in
                    (prefixCounts ?? []).withUnsafeBufferPointer { prefixes in
                        var layout = vitrail_attention_layout(
                            query_heads: heads.queryHeads, key_value_heads: heads.keyValueHeads, width: heads.width,
                            scale: heads.scale, segments: count, query_offsets: offsets.baseAddress,
                            key_starts: starts.baseAddress, key_counts: counts.baseAddress,
                            prefix_counts: prefixCounts == nil ? nil : prefixes.baseAddress, is_causal: isCausal,
                            window: window ?? 0, in_bfloat16: inBFloat16, keys_in_bfloat16: keys == .bfloat16)
                        body(&layout)
                    }
                }
            }
        }
    }
}
