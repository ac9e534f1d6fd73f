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

    /// One after another.
    public func products(_ calls: [ProductCall]) {
        for call in calls { product(call) }
    }

    /// y[r, n] = φ(Σ_k x[r, k] w[n, k] + bias[n] + addend[r, n]).
    public func linearMap(
        _ x: Matrix, weight: Matrix, bias: Tensor?, addend: Matrix?, activation: Activation?, into y: Matrix
    ) {
        let (rows, weights) = (operand(x, transposed: false), operand(weight, transposed: false))
        for r in 0..<y.rows {
            for n in 0..<y.columns {
                let value = dot(rows[r], weights[n]) + (bias?.element(n) ?? 0) + (addend?[r, n] ?? 0)
                y.set(r, n, activation.map { $0.value(value) } ?? value)
            }
        }
    }

    /// float32: its products round nothing.
    public var factorType: DType { .float32 }

    /// Nothing is rounded.
    public var attentionTakesFactors: Bool { false }

    /// The rows of a matrix, or of its transpose.
    private func operand(_ matrix: Matrix, transposed: Bool) -> [[Double]] {
        let rows = (0..<matrix.rows).map(matrix.row)
        guard transposed else { return rows }
        return (0..<matrix.columns).map { column in rows.map { $0[column] } }
    }
}
