public import TensorCore

/// The shape of a matrix product, c `[rows, columns]` = op(a) `[rows, terms]` · op(b) `[terms, columns]`.
public struct ProductForm: Hashable, Sendable {
    /// Rows of the result.
    public let rows: Int
    /// Columns of the result.
    public let columns: Int
    /// Terms of each sum.
    public let terms: Int
    /// Whether the left factor lies as `[terms, rows]`.
    public let transposeA: Bool
    /// Whether the right factor lies as `[columns, terms]`.
    public let transposeB: Bool
    /// Whether the result is added to what is there.
    public let accumulates: Bool
    /// How the left factor is stored.
    public let left: DType
    /// How the right factor is stored.
    public let right: DType
    /// How the result is stored.
    public let result: DType

    /// Multiplications and additions.
    public var operations: Double { 2 * Double(rows) * Double(columns) * Double(terms) }
}
