import Basics
import CKernels
public import TensorCore

extension CPUBackend {
    /// Rows up to which reading the weights is nearly all the cost, so that they are streamed instead of packed.
    private static let fewRows = 16

    /// Few rows by stored weights stream the weights once; everything else packs both factors for the kernels' tiles.
    ///
    /// In float32 precision narrow weights are widened exactly. In bfloat16 precision rows meet bfloat16 weights rounded to
    /// bfloat16, and block forms rounded to eight bits a block of 32, as integer dot products want them.
    public func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool
    ) {
        let areFew = c.rows <= Self.fewRows && c.rows > 0 && !transposeA && transposeB && alpha == 1
        if areFew && a.dtype == .float32 && streamed(a, b, bias: bias, into: c, accumulate: accumulate) { return }
        let (left, right) = (readable(a), readable(b))
        var arguments = vitrail_product_args()
        arguments.m = Int64(c.rows)
        arguments.n = Int64(c.columns)
        arguments.k = Int64(transposeA ? left.rows : left.columns)
        arguments.a = UnsafeRawPointer(left.pointer)
        arguments.b = UnsafeRawPointer(right.pointer)
        arguments.c = c.floatPointer
        arguments.lda = Int64(left.rowStride)
        arguments.ldb = Int64(right.rowStride)
        arguments.ldc = Int64(c.rowStride)
        arguments.bias = bias.map { UnsafePointer($0.floatPointer) }
        arguments.alpha = alpha
        arguments.transpose_a = transposeA
        arguments.transpose_b = transposeB
        arguments.accumulate = accumulate
        arguments.a_type = left.dtype == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
        arguments.b_type = right.dtype == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
        arguments.precision = products == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
        guard vitrail_product(pool, &arguments) else { failForMemory(c) }
    }

    /// Multiplies few rows where a format can be streamed in this precision; false where it cannot.
    private func streamed(_ x: Matrix, _ weights: Matrix, bias: Tensor?, into y: Matrix, accumulate: Bool) -> Bool {
        var arguments = vitrail_matvec_args()
        arguments.weights = UnsafeRawPointer(weights.pointer)
        switch (weights.dtype, products) {
        case (.float32, _): arguments.format = VITRAIL_WEIGHTS_FLOAT32
        case (.bfloat16, .bfloat16): arguments.format = VITRAIL_WEIGHTS_BFLOAT16
        case (.int8Blocks, .bfloat16), (.int4Blocks, .bfloat16):
            guard let regrouped = regrouped(weights) else { return false }
            arguments.weights = UnsafeRawPointer(regrouped)
            arguments.format = weights.dtype == .int8Blocks ? VITRAIL_WEIGHTS_INT8 : VITRAIL_WEIGHTS_INT4
        default: return false
        }
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

    /// The window itself where products can read it, otherwise a float32 copy.
    private func readable(_ matrix: Matrix) -> Matrix {
        if matrix.dtype == .float32 || matrix.dtype == .bfloat16 { return matrix }
        let copy = empty([matrix.rows, matrix.columns]).matrix
        vitrail_gather_rows(
            pool, matrix.pointer, matrix.dtype.kernelType, matrix.dtype.byteCount(of: matrix.rowStride), nil,
            copy.window, false)
        return copy
    }

    private func failForMemory(_ c: Matrix) -> Never {
        MemoryExhaustion("a product [\(c.rows), \(c.columns)]", byteCount: nil, usedBytes: usedBytes).endProcess()
    }
}
