import CKernels
public import TensorCore

extension CPUBackend {
    public func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool
    ) {
        let (left, right) = (widened(a), widened(b))
        vitrail_blas_product(
            left.floatPointer, left.rowStride, transposeA, right.floatPointer, right.rowStride, transposeB,
            c.floatPointer, c.rowStride, c.rows, c.columns, transposeA ? left.rows : left.columns, alpha,
            bias?.floatPointer, accumulate)
    }

    /// The window itself where it is float32, otherwise a float32 copy.
    private func widened(_ matrix: Matrix) -> Matrix {
        if matrix.dtype == .float32 { return matrix }
        let copy = empty([matrix.rows, matrix.columns]).matrix
        for row in 0..<matrix.rows {
            vitrail_convert(
                pool, matrix.rows(row..<row + 1).pointer, matrix.dtype.kernelType,
                copy.floatPointer + row * matrix.columns, VITRAIL_DTYPE_FLOAT32, matrix.columns)
        }
        return copy
    }
}
