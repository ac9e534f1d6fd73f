import CPUBackend
import TensorCore
import TestSupport
import Testing

/// Products in one call beside the same products one by one: equal in every bit, whatever shares a run of the threads.
@Suite struct SeveralProductsTests {
    /// Rows of a batch, and two maps: the gradient of the first one's weights goes with both gradients of the second.
    struct Maps: Sendable, CustomTestStringConvertible {
        let rows: Int, inputs: Int, middle: Int, outputs: Int
        var testDescription: String { "\(rows) rows, \(inputs) → \(middle) → \(outputs)" }

        init(_ rows: Int, _ inputs: Int, _ middle: Int, _ outputs: Int) {
            (self.rows, self.inputs, self.middle, self.outputs) = (rows, inputs, middle, outputs)
        }

        static let all = [
            Maps(1, 1, 1, 1), Maps(3, 5, 2, 7), Maps(0, 16, 4, 8), Maps(17, 31, 61, 3), Maps(64, 32, 64, 32),
            Maps(131, 129, 61, 203), Maps(1201, 24, 9, 65), Maps(257, 515, 640, 96),
        ]
    }

    @Test(arguments: [1, 3, 4], Maps.all)
    func sameBitsOnTheProcessor(_ threads: Int, _ maps: Maps) {
        for precision in [ProductPrecision.float32, .bfloat16] {
            let backend = CPUBackend(threads: threads, products: precision)
            for variant in 0..<16 {
                let together = results(maps, variant, on: backend) { backend.products($0) }
                let alone = results(maps, variant, on: backend) { for call in $0 { backend.product(call) } }
                #expect(together == alone, "\(maps.testDescription), \(precision), variant \(variant)")
            }
        }
    }

    @Test(arguments: TestBackend.optimized, Maps.all)
    func likeTheReference(_ backend: TestBackend, _ maps: Maps) {
        for accumulate in [false, true] {
            expectLikeReference(backend, "\(maps.testDescription), accumulate \(accumulate)") { backend, numbers in
                let x = numbers.window(maps.rows, maps.inputs, on: backend)
                let dy = numbers.window(maps.rows, maps.middle, on: backend)
                let weight = numbers.window(maps.middle, maps.inputs, on: backend)
                let dx = numbers.target(maps.rows, maps.inputs, accumulate: accumulate, on: backend)
                let dw = numbers.target(maps.middle, maps.inputs, accumulate: accumulate, on: backend)
                backend.products([
                    ProductCall(dy, transposeA: true, x, transposeB: false, into: dw, accumulate: accumulate),
                    ProductCall(dy, transposeA: false, weight, transposeB: false, into: dx, accumulate: accumulate),
                ])
                return [("dW", dw.surroundings, .forward), ("dx", dx.surroundings, .forward)]
            }
        }
    }

    /// Two contributions to one gradient are added in turn.
    @Test(arguments: [1, 4])
    func sumsInOnePlace(_ threads: Int) {
        let backend = CPUBackend(threads: threads, products: .bfloat16)
        func sum(_ run: ([ProductCall]) -> Void) -> [Float] {
            var numbers = NumberStream(seed: 5)
            let factors = (0..<4).map { _ in numbers.window(70, 67, on: backend) }
            let c = numbers.target(67, 67, accumulate: false, on: backend)
            run([
                ProductCall(factors[0], transposeA: true, factors[1], transposeB: false, into: c, accumulate: false),
                ProductCall(factors[2], transposeA: true, factors[3], transposeB: false, into: c, accumulate: true),
            ])
            return c.surroundings
        }
        #expect(sum { backend.products($0) } == sum { for call in $0 { backend.product(call) } })
    }

    /// What is added to, and what is stored in bfloat16, by the bits of `variant`.
    private func results(
        _ maps: Maps, _ variant: Int, on backend: any Backend, _ run: ([ProductCall]) -> Void
    ) -> [[Float]] {
        var numbers = NumberStream(seed: 9)
        func factor(_ rows: Int, _ columns: Int, isNarrow: Bool) -> Matrix {
            let window = numbers.window(rows, columns, on: backend)
            guard isNarrow else { return window }
            let narrow = backend.empty(window.tensor.shape, .bfloat16)
            backend.convert(window.tensor, into: narrow)
            return narrow.matrix.rows(1..<rows + 1).columns(3..<columns + 3)
        }
        let accumulate = variant & 1 != 0
        let x = factor(maps.rows, maps.inputs, isNarrow: variant & 2 != 0)
        let h = factor(maps.rows, maps.middle, isNarrow: variant & 2 != 0)
        let dh = factor(maps.rows, maps.middle, isNarrow: variant & 4 != 0)
        let dy = factor(maps.rows, maps.outputs, isNarrow: variant & 4 != 0)
        let weight = factor(maps.outputs, maps.middle, isNarrow: variant & 8 != 0)
        let first = numbers.target(maps.middle, maps.inputs, accumulate: accumulate, on: backend)
        let second = numbers.target(maps.outputs, maps.middle, accumulate: accumulate, on: backend)
        let input = numbers.target(maps.rows, maps.middle, accumulate: accumulate, on: backend)
        run([
            ProductCall(dh, transposeA: true, x, transposeB: false, into: first, accumulate: accumulate),
            ProductCall(dy, transposeA: true, h, transposeB: false, into: second, accumulate: accumulate),
            ProductCall(dy, transposeA: false, weight, transposeB: false, into: input, accumulate: accumulate),
        ])
        return [first.surroundings, second.surroundings, input.surroundings]
    }
}
