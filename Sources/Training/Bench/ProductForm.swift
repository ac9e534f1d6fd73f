import Basics
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

    /// Median seconds of the product by itself, over made-up factors.
    ///
    /// - Parameter budget: seconds to spend; at least three products run.
    func seconds(on backend: any Backend, budget: Double) -> Double {
        func numbers(_ shape: Shape, _ dtype: DType) -> Matrix {
            let values = (0..<shape.count).map { Float(($0 &* 7_919) % 2_048 - 1_024) / 1_024 }
            let full = Tensor(values, shape: shape, on: backend)
            guard dtype != .float32 else { return full.matrix }
            let narrow = backend.empty(shape, dtype)
            backend.convert(full, into: narrow)
            return narrow.matrix
        }
        let a = numbers(transposeA ? [terms, rows] : [rows, terms], left)
        let b = numbers(transposeB ? [columns, terms] : [terms, columns], right)
        let c = backend.empty([rows, columns], result).matrix
        if result == .float32 { backend.fill(c.tensor, 0) }
        var times: [Double] = []
        var spent = 0.0
        while times.count < 4 || spent < budget {
            let start = ContinuousClock.now
            backend.product(
                a, transposeA: transposeA, b, transposeB: transposeB, alpha: 1, bias: nil, into: c,
                accumulate: accumulates)
            times.append((ContinuousClock.now - start) / .seconds(1))
            spent += times.last ?? 0
        }
        // The first one packs and touches fresh pages.
        return times.dropFirst().median
    }
}

/// The floor of a piece of work: all of its products by themselves.
public struct ProductFloor: Sendable {
    /// Seconds of all products, each form measured alone.
    public let seconds: Double
    /// Operations of all products.
    public let operations: Double

    /// Billions of operations a second that the products reach.
    public var gigaflops: Double { seconds > 0 ? operations / seconds * 1e-9 : 0 }

    /// Measures every form of product that some work was seen to need.
    public init(_ products: [ProductForm: Int], on backend: any Backend, budget: Double = 2) {
        var seconds = 0.0
        var operations = 0.0
        for (form, count) in products {
            seconds += Double(count) * form.seconds(on: backend, budget: budget / Double(products.count))
            operations += Double(count) * form.operations
        }
        (self.seconds, self.operations) = (seconds, operations)
    }
}
