public import TensorCore

extension ReferenceBackend {
    /// c[r, n] = α Σ_k op(a)[r, k] op(b)[k, n] + bias[n].
    public func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool
    ) {
        let rowsOfA = operand(a, transposed: transposeA)
        let columnsOfB = operand(b, transposed: !transposeB)
        for r in 0..<c.rows {
            for n in 0..<c.columns {
                let value = Double(alpha) * dot(rowsOfA[r], columnsOfB[n]) + (bias?.element(n) ?? 0)
                c.set(r, n, value, accumulate: accumulate)
            }
        }
    }

    /// The rows of a matrix, or of its transpose.
    private func operand(_ matrix: Matrix, transposed: Bool) -> [[Double]] {
        let rows = (0..<matrix.rows).map(matrix.row)
        guard transposed else { return rows }
        return (0..<matrix.columns).map { column in rows.map { $0[column] } }
    }
}
