import CKernels
public import TensorCore

extension CPUBackend {
    /// Factors in float32 and bfloat16 are read as they are; float16 and the block forms are widened to scratch memory first.
    public func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool
    ) {
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
        guard vitrail_product(pool, &arguments) else {
            fatalError("out of memory: scratch of a product [\(c.rows), \(c.columns)], \(usedBytes) bytes in use")
        }
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
}
