import TensorCore
import TestSupport
import Testing

/// Extents of a product: `[rows, inner]` times `[inner, columns]`.
struct ProductShape: Sendable, CustomTestStringConvertible {
    let rows: Int, inner: Int, columns: Int
    var testDescription: String { "\(rows)×\(inner)×\(columns)" }

    init(_ rows: Int, _ inner: Int, _ columns: Int) { (self.rows, self.inner, self.columns) = (rows, inner, columns) }

    static let all = [
        ProductShape(1, 1, 1), ProductShape(1, 64, 33), ProductShape(2, 7, 3), ProductShape(0, 16, 4),
        ProductShape(16, 32, 16), ProductShape(5, 31, 17), ProductShape(37, 129, 61), ProductShape(130, 96, 67),
        ProductShape(300, 40, 259), ProductShape(67, 1031, 203), ProductShape(1, 1536, 515), ProductShape(3, 2080, 130),
        ProductShape(1201, 24, 9),
    ]
}

@Suite struct ProductKernelTests {
    @Test(arguments: TestBackend.optimized, ProductShape.all)
    func everyTransposition(_ backend: TestBackend, _ shape: ProductShape) {
        for (transposeA, transposeB) in [(false, false), (false, true), (true, false), (true, true)] {
            for accumulate in [false, true] {
                expectLikeReference(
                    backend,
                    "\(shape.testDescription), transposed \(transposeA), \(transposeB), accumulate \(accumulate)"
                ) { backend, numbers in
                    let a = numbers.window(
                        transposeA ? shape.inner : shape.rows, transposeA ? shape.rows : shape.inner, on: backend)
                    let b = numbers.window(
                        transposeB ? shape.columns : shape.inner, transposeB ? shape.inner : shape.columns, on: backend)
                    let bias = accumulate ? nil : numbers.tensor([shape.columns], on: backend)
                    let c = numbers.target(shape.rows, shape.columns, accumulate: accumulate, on: backend)
                    backend.product(
                        a, transposeA: transposeA, b, transposeB: transposeB, alpha: 0.7, bias: bias, into: c,
                        accumulate: accumulate)
                    let plain = numbers.target(shape.rows, shape.columns, accumulate: accumulate, on: backend)
                    backend.product(
                        a, transposeA: transposeA, b, transposeB: transposeB, alpha: 1,
                        bias: accumulate ? numbers.tensor([shape.columns], on: backend) : nil, into: plain,
                        accumulate: accumulate)
                    return [("with alpha", c.surroundings, .forward), ("plain", plain.surroundings, .forward)]
                }
            }
        }
    }

    @Test(arguments: TestBackend.optimized, DType.allCases.filter { $0 != .float32 && $0 != .int32 })
    func narrowWeights(_ backend: TestBackend, _ dtype: DType) {
        for shape in ProductShape.all {
            let inner = (shape.inner + dtype.blockLength - 1) / dtype.blockLength * dtype.blockLength
            for accumulate in [false, true] {
                expectLikeReference(backend, "\(dtype) \(shape.testDescription), accumulate \(accumulate)") {
                    backend, numbers in
                    let x = numbers.window(shape.rows, inner, on: backend)
                    let weight = numbers.tensor([shape.columns, inner], dtype, on: backend)
                    let bias = numbers.tensor([shape.columns], on: backend)
                    let y = numbers.target(shape.rows, shape.columns, accumulate: accumulate, on: backend)
                    backend.product(
                        x, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: bias, into: y,
                        accumulate: accumulate)
                    var results: [KernelResult] = [("y = x Wᵀ", y.surroundings, .forward)]
                    // The gradient towards x reads the same weight untransposed.
                    if !dtype.isInBlocks {
                        let dx = numbers.target(shape.rows, inner, accumulate: accumulate, on: backend)
                        let dy = numbers.window(shape.rows, shape.columns, on: backend)
                        backend.product(
                            dy, transposeA: false, weight.matrix, transposeB: false, alpha: 1, bias: nil, into: dx,
                            accumulate: accumulate)
                        results.append(("dx = dy W", dx.surroundings, .forward))
                    }
                    return results
                }
            }
        }
    }

    @Test(arguments: TestBackend.optimized, [DType.float16, .bfloat16])
    func narrowFirstFactor(_ backend: TestBackend, _ dtype: DType) {
        for shape in ProductShape.all {
            expectLikeReference(backend, "\(dtype) \(shape.testDescription)") { backend, numbers in
                let a = numbers.tensor([shape.rows, shape.inner], dtype, on: backend)
                let b = numbers.tensor([shape.columns, shape.inner], dtype, on: backend)
                let c = backend.empty([shape.rows, shape.columns])
                backend.product(
                    a.matrix, transposeA: false, b.matrix, transposeB: true, alpha: 1, bias: nil, into: c.matrix,
                    accumulate: false)
                return [("both narrow", c.floats, .forward)]
            }
        }
    }
}
