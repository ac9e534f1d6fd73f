import Basics
import CKernels
public import TensorCore

extension CPUBackend {
    /// Rows up to which reading the weights is nearly all the cost, so that they are streamed instead of packed.
    private static let fewRows = 16
    /// The same of bfloat16 weights that are multiplied as they lie.
    private static let fewRowsAsTheyLie = 64

    /// What is read as it lies can serve more rows than what is widened or repacked.
    public var streamedRows: Int {
        RowStreaming.isWide && factorType == .bfloat16 && vitrail_matvec_is_wide()
            ? Self.fewRowsAsTheyLie : Self.fewRows
    }

    /// About the rows, at the most, that a thread by itself had better take through a model at once: what they take stays in its share of the
    /// third-level cache, and weights are still packed seldom. Nil where as many as there are did not prove worse: at float32, and
    /// with tiles, where it has not been measured.
    public var nearRows: Int? { factorType == .bfloat16 && vitrail_cpu() != VITRAIL_CPU_AMX ? 1280 : nil }

    /// Whether weights are streamed past so many rows.
    private func areFew(_ rows: Int, for weights: Matrix) -> Bool {
        if weights.dtype == .bfloat16 { return rows <= streamedRows }
        return rows <= (multipliesBlocks && weights.dtype.isInBlocks ? 1 : Self.fewRows)
    }

    /// Whether products of any number of rows take block forms as they are, in integers.
    public var multipliesBlocks: Bool { products == .bfloat16 && vitrail_products_in_integers() }

    /// Few rows by stored weights stream the weights once; everything else packs both factors for the kernels' tiles.
    ///
    /// In float32 precision narrow weights are widened exactly. In bfloat16 precision rows meet bfloat16 weights rounded to
    /// bfloat16, and block forms rounded to eight bits a block, as integer dot products want them: any number of rows where
    /// AVX-512 multiplies bytes and there are no tiles, few elsewhere.
    public func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool
    ) {
        let areFew = areFew(c.rows, for: b) && c.rows > 0 && !transposeA && transposeB && alpha == 1
        if areFew, a.dtype == .float32, c.dtype == .float32,
            streamed(a, b, bias: bias, into: c, accumulate: accumulate)
        {
            return
        }
        let form = !transposeA && transposeB ? integerForm(of: b) : nil
        // Named, so that copies live until the product is done.
        let (left, right) = (readable(a), form == nil ? readable(b) : b)
        var arguments = productArguments(left, transposeA, right, transposeB, alpha, bias, c)
        if let form { (arguments.b, arguments.b_type) = form }
        arguments.accumulate = accumulate
        guard c.dtype == .bfloat16, accumulate || !vitrail_product_finishes(&arguments) else {
            guard vitrail_product(pool, &arguments) else { failForMemory(c) }
            return
        }
        // Sums that are not finished in registers are kept in float32 until they are.
        let wide = empty([c.rows, c.columns]).matrix
        if accumulate { widen(c, into: wide) }
        product(
            a, transposeA: transposeA, b, transposeB: transposeB, alpha: alpha, bias: bias, into: wide,
            accumulate: accumulate)
        narrow(wide, into: c)
    }

    /// One run of the threads where all factors are read as they are, and nobody's result is another's.
    public func products(_ calls: [ProductCall]) {
        guard calls.count > 1, factorType == .bfloat16, !haveCommonResults(calls) else {
            for call in calls { product(call) }
            return
        }
        var arguments: [vitrail_product_args] = []
        for call in calls {
            var one = productArguments(call.a, call.transposeA, call.b, call.transposeB, 1, nil, call.c)
            one.accumulate = call.accumulate
            let isPlain = [call.a, call.b].allSatisfy { $0.dtype == .float32 || $0.dtype == .bfloat16 }
            let isFinished = call.c.dtype == .float32 || (!call.accumulate && vitrail_product_finishes(&one))
            guard isPlain, isFinished, !call.transposeB else {
                for call in calls { product(call) }
                return
            }
            arguments.append(one)
        }
        guard vitrail_products(pool, arguments, Int32(arguments.count)) else { failForMemory(calls[0].c) }
    }

    /// Whether two of these products write to the same memory.
    private func haveCommonResults(_ calls: [ProductCall]) -> Bool {
        let results = calls.map { call -> Range<UnsafeMutableRawPointer> in
            let count = call.c.rows == 0 ? 0 : (call.c.rows - 1) * call.c.rowStride + call.c.columns
            return call.c.pointer..<call.c.pointer + call.c.dtype.byteCount(of: count)
        }
        return results.indices.contains { index in
            results[..<index].contains { $0.overlaps(results[index]) }
        }
    }

    /// bfloat16 where the processor multiplies it and products round to it.
    public var factorType: DType { products == .bfloat16 && vitrail_products_in_bfloat16() ? .bfloat16 : .float32 }

    /// What follows the product is done while its sums are in registers, where the product comes by its results once; one pass
    /// each otherwise.
    public func linearMap(
        _ x: Matrix, weight: Matrix, bias: Tensor?, addend: Matrix?, activation: Activation?, into y: Matrix
    ) {
        if !areFew(y.rows, for: weight) || x.dtype != .float32 || y.dtype != .float32 {
            let form = integerForm(of: weight)
            let (left, right) = (readable(x), form == nil ? readable(weight) : weight)
            var arguments = productArguments(left, false, right, true, 1, bias, y)
            if let form { (arguments.b, arguments.b_type) = form }
            if let addend {
                arguments.addend = UnsafePointer(addend.floatPointer)
                arguments.ld_addend = Int64(addend.rowStride)
            }
            let isPlain = activation == nil && y.dtype == .float32
            if isPlain || vitrail_product_finishes(&arguments) {
                if let activation {
                    arguments.activates = true
                    arguments.activation = activation.kernelKind
                }
                guard vitrail_product(pool, &arguments) else { failForMemory(y) }
                return
            }
        }
        let wide = y.dtype == .float32 && y.rowStride == y.columns ? y : empty([y.rows, y.columns]).matrix
        product(
            x, transposeA: false, weight, transposeB: true, alpha: 1, bias: bias, into: wide, accumulate: false)
        if let addend {
            vitrail_gather_rows(
                pool, addend.pointer, addend.dtype.kernelType, addend.dtype.byteCount(of: addend.rowStride), nil,
                wide.window, true)
        }
        if let activation { vitrail_activation(pool, activation.kernelKind, wide.window, wide.window) }
        if wide.tensor.storage !== y.tensor.storage { narrow(wide, into: y) }
    }

    /// Converts the rows of a float32 matrix without gaps.
    func narrow(_ wide: Matrix, into y: Matrix) {
        if y.rowStride == y.columns {
            let count = wide.rows * wide.columns
            vitrail_convert(pool, wide.pointer, VITRAIL_DTYPE_FLOAT32, y.pointer, y.dtype.kernelType, count)
            return
        }
        for row in 0..<y.rows {
            vitrail_convert(
                pool, wide.rows(row..<row + 1).pointer, VITRAIL_DTYPE_FLOAT32, y.rows(row..<row + 1).pointer,
                y.dtype.kernelType, y.columns)
        }
    }

    /// Rows of any type as float32.
    func widen(_ matrix: Matrix, into wide: Matrix) {
        let matrix = inPlainOrder(matrix)
        vitrail_gather_rows(
            pool, matrix.pointer, matrix.dtype.kernelType, matrix.dtype.byteCount(of: matrix.rowStride), nil,
            wide.window, false)
    }

    func productArguments(
        _ left: Matrix, _ transposeA: Bool, _ right: Matrix, _ transposeB: Bool, _ alpha: Float, _ bias: Tensor?,
        _ c: Matrix
    ) -> vitrail_product_args {
        var arguments = vitrail_product_args()
        arguments.m = Int64(c.rows)
        arguments.n = Int64(c.columns)
        arguments.k = Int64(transposeA ? left.rows : left.columns)
        arguments.a = UnsafeRawPointer(left.pointer)
        arguments.b = UnsafeRawPointer(right.pointer)
        arguments.c = c.eitherWindow.data
        arguments.c_type = c.dtype == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
        arguments.lda = Int64(left.rowStride)
        arguments.ldb = Int64(right.rowStride)
        arguments.ldc = Int64(c.rowStride)
        arguments.bias = bias.map { UnsafePointer($0.floatPointer) }
        arguments.alpha = alpha
        arguments.transpose_a = transposeA
        arguments.transpose_b = transposeB
        arguments.a_type = left.dtype == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
        arguments.b_type = right.dtype == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
        arguments.precision = products == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
        return arguments
    }

    /// Multiplies few rows where a format can be streamed in this precision; false where it cannot.
    private func streamed(_ x: Matrix, _ weights: Matrix, bias: Tensor?, into y: Matrix, accumulate: Bool) -> Bool {
        guard let (form, format) = streamedForm(of: weights) else { return false }
        var arguments = vitrail_matvec_args()
        arguments.weights = form
        arguments.format = format
        arguments.m = Int64(y.rows)
        arguments.n = Int64(y.columns)
        arguments.k = Int64(x.columns)
        arguments.x = UnsafePointer(x.floatPointer)
        arguments.bias = bias.map { UnsafePointer($0.floatPointer) }
        arguments.y = y.floatPointer
        arguments.ldx = Int64(x.rowStride)
        arguments.ldw = Int64(weights.rowStride)
        arguments.ldy = Int64(y.rowStride)
        arguments.accumulate = accumulate
        guard vitrail_matvec(pool, &arguments) else { failForMemory(y) }
        return true
    }

    /// Weights as few rows are multiplied by them; nil for formats that this precision does not stream.
    func streamedForm(of weights: Matrix) -> (UnsafeRawPointer, vitrail_weight_format)? {
        if weights.dtype == .float32 { return (UnsafeRawPointer(weights.pointer), VITRAIL_WEIGHTS_FLOAT32) }
        guard products == .bfloat16 else { return nil }
        if weights.dtype == .bfloat16 { return (UnsafeRawPointer(weights.pointer), VITRAIL_WEIGHTS_BFLOAT16) }
        guard weights.dtype.isInBlocks, let regrouped = regrouped(weights) else { return nil }
        return (UnsafeRawPointer(regrouped), weights.dtype.blockFormat)
    }

    /// Weights as products in integers read them; nil where they are widened.
    private func integerForm(of weights: Matrix) -> (UnsafeRawPointer, vitrail_element)? {
        guard multipliesBlocks, weights.dtype.isInBlocks, let (form, _) = streamedForm(of: weights) else { return nil }
        return (form, weights.dtype.blockGroups)
    }

    /// The window itself where products can read it, otherwise a float32 copy.
    private func readable(_ matrix: Matrix) -> Matrix {
        if matrix.dtype == .float32 || matrix.dtype == .bfloat16 { return matrix }
        return widened(matrix)
    }

    /// A float32 copy.
    func widened(_ matrix: Matrix) -> Matrix {
        let copy = empty([matrix.rows, matrix.columns]).matrix
        widen(matrix, into: copy)
        return copy
    }

    func failForMemory(_ c: Matrix) -> Never {
        MemoryExhaustion("a product [\(c.rows), \(c.columns)]", byteCount: nil, usedBytes: usedBytes).endProcess()
    }
}
