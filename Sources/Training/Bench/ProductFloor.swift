import Basics
import TensorCore

/// The floor of a piece of work: all of its products by themselves, one form after another, over made-up factors.
final class ProductFloor {
    private struct Product {
        let form: ProductForm
        let count: Int
        let a: Matrix
        let b: Matrix
        let c: Matrix
    }

    /// A factor or a result that forms of the same shape share, so that a floor takes less memory than the work.
    private struct Place: Hashable {
        let rows: Int
        let columns: Int
        let dtype: DType
    }

    /// Operations of all products, low-rank ones included.
    let operations: Double
    /// All operations over those of the products that are run.
    private let share: Double
    private let products: [Product]
    private let backend: any Backend

    /// Every form of product that some work was seen to need, and how often. Each runs once, since the first time packs and touches fresh pages.
    ///
    /// - Parameter lowRankOperations: operations of low-rank products, which would be as fast as the others at best: by themselves, products
    ///   with so few columns are not.
    init(_ counts: [ProductForm: Int], lowRankOperations: Double = 0, on backend: any Backend) {
        self.backend = backend
        var kept: [[Place: Matrix]] = [[:], [:], [:]]
        func matrix(_ operand: Int, _ rows: Int, _ columns: Int, _ dtype: DType) -> Matrix {
            let place = Place(rows: rows, columns: columns, dtype: dtype)
            if let matrix = kept[operand][place] { return matrix }
            let matrix = Self.numbers([rows, columns], dtype, on: backend)
            kept[operand][place] = matrix
            return matrix
        }
        products = counts.sorted { $0.key.order < $1.key.order }.map { form, count in
            Product(
                form: form, count: count,
                a: form.transposeA
                    ? matrix(0, form.terms, form.rows, form.left) : matrix(0, form.rows, form.terms, form.left),
                b: form.transposeB
                    ? matrix(1, form.columns, form.terms, form.right) : matrix(1, form.terms, form.columns, form.right),
                c: matrix(2, form.rows, form.columns, form.result))
        }
        let run = products.reduce(0) { $0 + Double($1.count) * $1.form.operations }
        operations = run + lowRankOperations
        share = run > 0 ? operations / run : 1
        for product in products { multiply(product) }
    }

    /// Seconds of all products, each as often as the work needs it.
    func seconds() -> Double {
        let start = ContinuousClock.now
        for product in products {
            for _ in 0..<product.count { multiply(product) }
        }
        return (ContinuousClock.now - start) / .seconds(1) * share
    }

    private func multiply(_ product: Product) {
        backend.product(
            product.a, transposeA: product.form.transposeA, product.b, transposeB: product.form.transposeB, alpha: 1,
            bias: nil, into: product.c, accumulate: product.form.accumulates)
    }

    /// Numbers of mixed sign that are no denormals.
    private static func numbers(_ shape: Shape, _ dtype: DType, on backend: any Backend) -> Matrix {
        let full = Tensor(
            (0..<shape.count).map { Float(($0 &* 7_919) % 2_048 - 1_024) / 1_024 }, shape: shape, on: backend)
        guard dtype != .float32 else { return full.matrix }
        let narrow = backend.empty(shape, dtype)
        backend.convert(full, into: narrow)
        return narrow.matrix
    }
}

extension ProductForm {
    /// A fixed order of forms, so that floors of two runs do the same things one after another.
    fileprivate var order: String {
        "\(rows) \(columns) \(terms) \(transposeA) \(transposeB) \(accumulates) \(left) \(right) \(result)"
    }
}
