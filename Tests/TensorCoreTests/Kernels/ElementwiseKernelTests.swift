import TensorCore
import TestSupport
import Testing

@Suite struct ElementwiseKernelTests {
    @Test(arguments: TestBackend.optimized, elementCounts)
    func sumsAndProducts(_ backend: TestBackend, _ count: Int) {
        expectLikeReference(backend, "\(count) elements") { backend, numbers in
            let a = numbers.tensor([count], on: backend)
            let b = numbers.tensor([count], on: backend)
            var results: [KernelResult] = []
            let sum = backend.empty([count])
            backend.add(a, b, into: sum)
            results.append(("add", sum.floats, .exact))
            for accumulate in [false, true] {
                let scaled = numbers.target([count], accumulate: accumulate, on: backend)
                backend.scale(a, by: 0.3, into: scaled, accumulate: accumulate)
                results.append(("scale, accumulate \(accumulate)", scaled.floats, .ofScale(2e-7)))
                let product = numbers.target([count], accumulate: accumulate, on: backend)
                backend.multiply(a, b, into: product, accumulate: accumulate)
                results.append(("multiply, accumulate \(accumulate)", product.floats, .ofScale(2e-7)))
            }
            backend.add(a, b, into: a)
            results.append(("add in place of the first", a.floats, .exact))
            backend.add(a, b, into: b)
            results.append(("add in place of the second", b.floats, .exact))
            backend.scale(a, by: -1.5, into: a, accumulate: false)
            results.append(("scale in place", a.floats, .ofScale(2e-7)))
            return results
        }
    }

    @Test(arguments: TestBackend.optimized, matrixShapes)
    func columns(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        expectLikeReference(backend, "\(shape)") { backend, numbers in
            let a = numbers.window(rows, columns, on: backend)
            let b = numbers.window(rows, columns, on: backend)
            let vector = numbers.tensor([columns], on: backend)
            var results: [KernelResult] = []
            for accumulate in [false, true] {
                let scaled = numbers.target(rows, columns, accumulate: accumulate, on: backend)
                backend.scaleColumns(a, by: vector, into: scaled, accumulate: accumulate)
                results.append(("scaleColumns, accumulate \(accumulate)", scaled.surroundings, .ofScale(2e-7)))
                for other in [nil, b] {
                    let sums = numbers.target([columns], accumulate: accumulate, on: backend)
                    backend.sumRows(a, other, into: sums, accumulate: accumulate)
                    let name = "sumRows of \(other == nil ? "one" : "two"), accumulate \(accumulate)"
                    results.append((name, sums.floats, .forward))
                }
            }
            backend.scaleColumns(a, by: vector, into: a, accumulate: false)
            results.append(("scaleColumns in place", a.surroundings, .ofScale(2e-7)))
            return results
        }
    }

    @Test(arguments: TestBackend.optimized, Activation.allCases)
    func activations(_ backend: TestBackend, _ function: Activation) {
        for count in elementCounts {
            expectLikeReference(backend, "\(function) of \(count)") { backend, numbers in
                let extremes: [Float] = [0, -0.0, 1e-4, -1e-4, 12, -12, 30, -30, 100, -100, 1e-30, -1e-30]
                let x = Tensor(
                    Array((extremes + numbers.values(count, scale: 8)).prefix(count)), shape: [count], on: backend)
                let upstream = numbers.tensor([count], on: backend)
                let y = backend.empty([count])
                backend.activation(function, x, into: y)
                // Elements may be 100 or 1e-4: each is held to its own size, and to 1e-6 near 0.
                var results: [KernelResult] = [("value", y.floats, .forward)]
                let modest = zip(x.floats, y.floats).filter { $0.0.magnitude <= 8 }.map { $0.1 }
                results.append(("value of modest arguments", modest, .absolute(2e-6)))
                for accumulate in [false, true] {
                    let dx = numbers.target([count], accumulate: accumulate, on: backend)
                    let again = backend.empty([count])
                    backend.activationGradient(
                        function, x, gradient: upstream, into: dx, accumulate: accumulate, value: again)
                    #expect(again.floats == y.floats)
                    results.append(("gradient, accumulate \(accumulate)", dx.floats, .absolute(3e-6)))
                }
                return results
            }
        }
    }

    @Test(arguments: TestBackend.optimized, matrixShapes)
    func gatedActivations(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        for function in Activation.allCases {
            expectLikeReference(backend, "\(function) \(shape)") { backend, numbers in
                let x = numbers.window(rows, 2 * columns, scale: 4, on: backend)
                let upstream = numbers.window(rows, columns, on: backend)
                let y = numbers.target(rows, columns, on: backend)
                backend.gatedActivation(function, x, into: y)
                let narrow = numbers.tensor([rows, 2 * columns + 3], .bfloat16, scale: 4, on: backend)
                let z = numbers.target(rows, columns, on: backend)
                backend.gatedActivation(function, narrow.matrix.columns(2..<2 + 2 * columns), into: z)
                var results: [KernelResult] = [
                    ("value", y.surroundings, .forward), ("value of bfloat16", z.surroundings, .forward),
                ]
                for accumulate in [false, true] {
                    let dx = numbers.target(rows, 2 * columns, accumulate: accumulate, on: backend)
                    let again = numbers.target(rows, columns, on: backend)
                    backend.gatedActivationGradient(
                        function, x, gradient: upstream, into: dx, accumulate: accumulate, value: again)
                    #expect(again.floats == y.floats)
                    results.append(("gradient, accumulate \(accumulate)", dx.surroundings, .gradient))
                }
                return results
            }
        }
    }

    @Test(arguments: TestBackend.optimized, elementCounts)
    func dropout(_ backend: TestBackend, _ count: Int) {
        for (rate, seed) in [(Float(0.1), UInt64(0)), (0.5, 7), (0.9, .max)] {
            expectLikeReference(backend, "rate \(rate), \(count) elements") { backend, numbers in
                let x = numbers.tensor([count], on: backend)
                var results: [KernelResult] = []
                for accumulate in [false, true] {
                    let y = numbers.target([count], accumulate: accumulate, on: backend)
                    backend.dropout(x, rate: rate, seed: seed, into: y, accumulate: accumulate)
                    results.append(("accumulate \(accumulate)", y.floats, .ofScale(3e-7)))
                }
                backend.dropout(x, rate: rate, seed: seed, into: x, accumulate: false)
                results.append(("in place", x.floats, .ofScale(3e-7)))
                return results
            }
        }
    }
}
