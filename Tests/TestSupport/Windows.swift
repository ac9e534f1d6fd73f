public import TensorCore

extension NumberStream {
    /// A float32 tensor of fresh numbers.
    public mutating func tensor(_ shape: Shape, scale: Float = 1, on backend: any Backend) -> Tensor {
        Tensor(values(shape.count, scale: scale), shape: shape, on: backend)
    }

    /// The same numbers stored in another dtype.
    public mutating func tensor(_ shape: Shape, _ dtype: DType, scale: Float = 1, on backend: any Backend) -> Tensor {
        let wide = tensor(shape, scale: scale, on: backend)
        let narrow = backend.empty(shape, dtype)
        backend.convert(wide, into: narrow)
        return narrow
    }

    /// A window of rows × columns inside a larger tensor of fresh numbers: one row above and below, three columns to
    /// the left (off every vector width) and two to the right. Compare all of `Matrix.tensor`: what lies around must stay.
    public mutating func window(_ rows: Int, _ columns: Int, scale: Float = 1, on backend: any Backend) -> Matrix {
        let around = tensor([rows + 2, columns + 5], scale: scale, on: backend)
        return around.matrix.rows(1..<rows + 1).columns(3..<columns + 3)
    }

    /// A window to be written: fresh numbers to add to, or NaN, which shows when a kernel reads what it should overwrite.
    public mutating func target(
        _ rows: Int, _ columns: Int, accumulate: Bool = false, on backend: any Backend
    ) -> Matrix {
        let target = window(rows, columns, on: backend)
        guard !accumulate else { return target }
        var values = target.surroundings
        for row in 0..<rows {
            for column in 0..<columns { values[target.offset + row * target.rowStride + column] = .nan }
        }
        values.withUnsafeBytes { backend.upload($0, to: target.tensor) }
        return target
    }

    /// A tensor to be written: fresh numbers to add to, or NaN.
    public mutating func target(_ shape: Shape, accumulate: Bool = false, on backend: any Backend) -> Tensor {
        let target = tensor(shape, on: backend)
        if !accumulate { backend.fill(target, .nan) }
        return target
    }
}

extension Matrix {
    /// All of the memory that the window looks into, on the host.
    public var surroundings: [Float] { tensor.floats }

    /// The window's own elements on the host, row by row.
    public var floats: [Float] {
        let all = tensor.floats
        return (0..<rows).flatMap { all[offset + $0 * rowStride..<offset + $0 * rowStride + columns] }
    }
}
