import CKernels
public import TensorCore

extension CPUBackend {
    /// Runs of eight blocks are shared out over the threads; into float32 or bfloat16.
    public func widen(_ weights: CodedWeights, into destination: Tensor) {
        let isNarrow = destination.dtype == .bfloat16
        precondition(isNarrow || destination.dtype == .float32, "codes are widened to floats, not \(destination.dtype)")
        weights.tables.withUnsafeBufferPointer { tables in
            var codes = weights.arguments(tables.baseAddress)
            vitrail_widen_codes(pool, &codes, destination.pointer, isNarrow, destination.count)
        }
    }

    /// Where products read codes, nobody writes the weights down in between.
    public func codedProduct(
        _ a: Matrix, _ weight: CodedMatrix, transposed: Bool, bias: Tensor?, addend: Matrix?, into c: Matrix,
        accumulate: Bool
    ) {
        guard readsCodes(weight, rows: c.rows),
            multiplied(
                a, weight, transposed: transposed, bias: bias, addend: addend, into: c, accumulate: accumulate)
        else {
            codedProductByWidening(
                a, weight, transposed: transposed, bias: bias, addend: addend, into: c, accumulate: accumulate)
            return
        }
    }

    /// Codes of 4 bits in rows of whole blocks, past which so many rows are not streamed.
    private func readsCodes(_ weight: CodedMatrix, rows: Int) -> Bool {
        products == .bfloat16 && vitrail_products_take_codes() && rows > streamedRows
            && weight.columns % CodedWeights.blockLength == 0 && weight.parts.allSatisfy { $0.weights.values != nil }
    }

    /// False where sums would not be finished in registers.
    private func multiplied(
        _ a: Matrix, _ weight: CodedMatrix, transposed: Bool, bias: Tensor?, addend: Matrix?, into c: Matrix,
        accumulate: Bool
    ) -> Bool {
        var arguments = productArguments(a, false, a, transposed, 1, bias, c)
        arguments.b_type = VITRAIL_CODES
        arguments.ldb = Int64(weight.columns)
        arguments.accumulate = accumulate
        if let addend {
            arguments.addend = UnsafePointer(addend.floatPointer)
            arguments.ld_addend = Int64(addend.rowStride)
        }
        guard c.dtype == .float32 || (!accumulate && vitrail_product_finishes(&arguments)) else { return false }
        let tables = weight.parts.flatMap(\.weights.tables)
        tables.withUnsafeBufferPointer { tables in
            var start = 0
            let rows = weight.parts.map { part in
                let codes = part.weights.arguments(tables.baseAddress.map { $0 + start })
                start += part.weights.tables.count
                return vitrail_coded_rows(codes: codes, rows: Int64(part.rows))
            }
            rows.withUnsafeBufferPointer { rows in
                arguments.b = UnsafeRawPointer(rows.baseAddress)
                guard vitrail_product(pool, &arguments) else { failForMemory(c) }
            }
        }
        return true
    }
}

extension CodedWeights {
    /// What codes mean, and behind it what codes of scales mean.
    fileprivate var tables: [Float] {
        guard case .coded(_, let scaleValues, _) = scales else { return values ?? [] }
        return (values ?? []) + scaleValues
    }

    /// The codes as the kernels take them, with `tables` in memory.
    fileprivate func arguments(_ tables: UnsafePointer<Float>?) -> vitrail_codes {
        var result = vitrail_codes()
        result.codes = bytes(codes)
        result.values = values == nil ? nil : tables
        switch scales {
        case .plain(let scales):
            result.scales = UnsafePointer(scales.floatPointer)
        case .coded(let codes, _, let outer):
            result.scale_codes = bytes(codes)
            result.scale_values = tables.map { $0 + (values?.count ?? 0) }
            result.outer_scales = UnsafePointer(outer.floatPointer)
            result.offset = outer.floatPointer[outer.count - 1]
        }
        return result
    }

    private func bytes(_ tensor: Tensor) -> UnsafePointer<UInt8> {
        UnsafePointer(tensor.pointer.assumingMemoryBound(to: UInt8.self))
    }
}
