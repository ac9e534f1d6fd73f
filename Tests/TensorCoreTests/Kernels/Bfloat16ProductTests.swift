import CPUBackend
import ReferenceBackend
import TensorCore
import TestSupport
import Testing

/// Products with factors rounded to bfloat16: equal to the reference product of factors that were rounded before, since a product of
/// two bfloat16 numbers is exact in float32 and only the sums round.
@Suite struct Bfloat16ProductTests {
    @Test(arguments: [1, 4], ProductShape.all)
    func everyTransposition(_ threads: Int, _ shape: ProductShape) {
        let backend = CPUBackend(threads: threads, products: .bfloat16)
        let reference = ReferenceBackend()
        for (transposeA, transposeB) in [(false, false), (false, true), (true, false), (true, true)] {
            for accumulate in [false, true] {
                func product(_ backend: any Backend, rounded: Bool) -> [Float] {
                    var numbers = NumberStream(seed: 21)
                    func factor(_ rows: Int, _ columns: Int) -> Matrix {
                        let window = numbers.window(rows, columns, on: backend)
                        guard rounded else { return window }
                        let narrow = backend.empty(window.tensor.shape, .bfloat16)
                        backend.convert(window.tensor, into: narrow)
                        return narrow.matrix.rows(1..<rows + 1).columns(3..<columns + 3)
                    }
                    let (m, k, n) = (shape.rows, shape.inner, shape.columns)
                    let a = transposeA ? factor(k, m) : factor(m, k)
                    let b = transposeB ? factor(n, k) : factor(k, n)
                    let bias = numbers.tensor([n], on: backend)
                    let c = numbers.target(m, n, accumulate: accumulate, on: backend)
                    backend.product(
                        a, transposeA: transposeA, b, transposeB: transposeB, alpha: 0.5, bias: bias, into: c,
                        accumulate: accumulate)
                    return c.surroundings
                }
                let expected = product(reference, rounded: true)
                let what = "\(shape.testDescription), transposed \(transposeA), \(transposeB), accumulate \(accumulate)"
                expectClose(product(backend, rounded: false), expected, .forward, "\(what), rounded while read")
                expectClose(product(backend, rounded: true), expected, .forward, "\(what), stored in bfloat16")
            }
        }
    }
}
