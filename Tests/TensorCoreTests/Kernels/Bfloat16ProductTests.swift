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

    /// Rows that are read where they lie, by so many columns that several threads pack them a few at a time; terms that are come by once and
    /// twice. A single thread gives the same bits.
    @Test(arguments: [(145, 64, 801), (131, 3_104, 785), (400, 96, 1_600)])
    func manyColumns(_ rows: Int, _ terms: Int, _ columns: Int) {
        for (transposeB, dtype) in [(true, DType.bfloat16), (false, .bfloat16), (true, .float32), (false, .float32)] {
            func product(_ backend: any Backend) -> [Float] {
                var numbers = NumberStream(seed: 4)
                func whole(_ rows: Int, _ columns: Int, _ dtype: DType) -> Matrix {
                    let values = numbers.integers(rows * columns, in: -8..<9).map { Float($0) / 8 }
                    let narrow = backend.empty([rows, columns], backend is ReferenceBackend ? .float32 : dtype)
                    backend.convert(Tensor(values, shape: [rows, columns], on: backend), into: narrow)
                    return narrow.matrix
                }
                let a = whole(rows, terms, .bfloat16)
                let b = transposeB ? whole(columns, terms, dtype) : whole(terms, columns, dtype)
                let c = numbers.target(rows, columns, accumulate: true, on: backend)
                backend.product(
                    a, transposeA: false, b, transposeB: transposeB, alpha: 1, bias: nil, into: c, accumulate: true)
                return c.surroundings
            }
            let several = product(CPUBackend(threads: 4, products: .bfloat16))
            expectClose(several, product(ReferenceBackend()), .forward, "\(dtype), transposed \(transposeB)")
            #expect(several == product(CPUBackend(threads: 1, products: .bfloat16)), "the bits of one thread")
        }
    }
}
