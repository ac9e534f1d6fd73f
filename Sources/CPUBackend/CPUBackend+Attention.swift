import CKernels
public import TensorCore

extension CPUBackend {
    /// Online softmax over blocks of keys (Dao et al. 2022): scores never leave the second-level cache. A unit of work is a
    /// run of queries of one segment and key-value head; segments of up to four queries split their keys instead. In bfloat16
    /// precision its products round their factors where the processor multiplies those. Keys and values may be bfloat16, both.
    public func attention(
        query: Matrix, key: Matrix, value: Matrix, heads: HeadLayout, segments: AttentionSegments,
        into destination: Matrix, logSumExp: Tensor?
    ) {
        precondition(key.dtype == value.dtype, "keys are \(key.dtype) and values \(value.dtype)")
        segments.withLayout(heads, inBFloat16: products == .bfloat16) { layout in
            let results = writable([destination], layout)
            vitrail_attention(
                pool, layout, readable([query], layout)[0].eitherWindow, key.eitherWindow, value.eitherWindow,
                results[0].eitherWindow, logSumExp?.floatPointer)
            finish(results, [destination])
        }
    }

    /// Attention that multiplies bfloat16 rounds queries, keys and values anyway.
    public var attentionTakesFactors: Bool { factorType == .bfloat16 && vitrail_attention_in_bfloat16() }

    /// Probabilities are computed anew from `logSumExp`. A unit of work owns the gradients of one segment's keys and values for
    /// one head, or a part of them that is added in order.
    public func attentionGradient(
        query: Matrix, key: Matrix, value: Matrix, output: Matrix, logSumExp: Tensor, gradient: Matrix,
        heads: HeadLayout, segments: AttentionSegments, intoQuery: Matrix, key intoKey: Matrix, value intoValue: Matrix
    ) {
        segments.withLayout(heads, inBFloat16: products == .bfloat16) { layout in
            let inputs = readable([query, key, value, output, gradient], layout)
            let results = writable([intoQuery, intoKey, intoValue], layout)
            vitrail_attention_gradient(
                pool, layout, inputs[0].eitherWindow, inputs[1].eitherWindow, inputs[2].eitherWindow,
                inputs[3].eitherWindow, logSumExp.floatPointer, inputs[4].eitherWindow, results[0].eitherWindow,
                results[1].eitherWindow, results[2].eitherWindow)
            finish(results, [intoQuery, intoKey, intoValue])
        }
    }

    /// The matrices, as float32 copies where the layout's kernel reads nothing else.
    private func readable(_ matrices: [Matrix], _ layout: UnsafePointer<vitrail_attention_layout>) -> [Matrix] {
        if matrices.allSatisfy({ $0.dtype == .float32 }) || vitrail_attention_takes_bfloat16(layout) { return matrices }
        return matrices.map { $0.dtype == .float32 ? $0 : widened($0) }
    }

    /// The destinations, or float32 memory in their place where the layout's kernel writes nothing else.
    private func writable(_ matrices: [Matrix], _ layout: UnsafePointer<vitrail_attention_layout>) -> [Matrix] {
        if matrices.allSatisfy({ $0.dtype == .float32 }) || vitrail_attention_takes_bfloat16(layout) { return matrices }
        return matrices.map { matrix in
            let wide = empty([matrix.rows, matrix.columns]).matrix
            // Rows that belong to no segment stay as they are.
            widen(matrix, into: wide)
            return wide
        }
    }

    private func finish(_ results: [Matrix], _ destinations: [Matrix]) {
        for (result, destination) in zip(results, destinations) where result.dtype != destination.dtype {
            narrow(result, into: destination)
        }
    }
}

extension AttentionSegments {
    /// Calls `body` with the kernels' form of the segments, valid during the call.
    func withLayout(
        _ heads: HeadLayout, inBFloat16: Bool, _ body: (UnsafePointer<vitrail_attention_layout>) -> Void
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
                            window: window ?? 0, in_bfloat16: inBFloat16)
                        body(&layout)
                    }
                }
            }
        }
    }
}
