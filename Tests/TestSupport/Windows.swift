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
