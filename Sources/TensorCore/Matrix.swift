/// A two-dimensional window into a tensor's memory: what kernels read and write.
///
/// Rows are `rowStride` elements apart, so a range of columns (the keys inside a fused q/k/v product, say) needs no copy.
public struct Matrix {
    /// The tensor whose memory is looked into.
    public var tensor: Tensor
    /// Elements from the tensor's first element to the window's.
    public let offset: Int
    /// Number of rows.
    public let rows: Int
    /// Number of columns.
    public let columns: Int
    /// Elements from one row to the next.
    public let rowStride: Int

    init(tensor: Tensor, offset: Int, rows: Int, columns: Int, rowStride: Int) {
        self.tensor = tensor
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.rowStride = rowStride
    }

    /// How elements are stored.
    public var dtype: DType { tensor.dtype }

    /// The address of the window's first element.
    public var pointer: UnsafeMutableRawPointer {
        precondition(offset % dtype.blockLength == 0, "a window into \(dtype) starts at a whole block")
        return tensor.pointer + dtype.byteCount(of: offset)
    }

    /// The window's first element as a float. Programmer's error on any other dtype.
    public var floatPointer: UnsafeMutablePointer<Float> { tensor.floatPointer + offset }

    /// A range of this window's rows.
    public func rows(_ range: Range<Int>) -> Matrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
        return Matrix(
            tensor: tensor, offset: offset + range.lowerBound * rowStride, rows: range.count, columns: columns,
            rowStride: rowStride)
    }

    /// A range of this window's columns.
    public func columns(_ range: Range<Int>) -> Matrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns)")
        return Matrix(
            tensor: tensor, offset: offset + range.lowerBound, rows: rows, columns: range.count, rowStride: rowStride)
    }
}

extension Tensor {
    /// The tensor as a matrix: the last axis is the columns, all others together the rows.
    public var matrix: Matrix {
        Matrix(tensor: detached, offset: 0, rows: shape.rows, columns: shape.columns, rowStride: shape.columns)
    }
}
