import TensorCore
import TestSupport
import Testing

@Suite struct NormKernelTests {
    @Test(arguments: TestBackend.optimized, matrixShapes)
    func layerNorm(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        for accumulate in [false, true] {
            expectLikeReference(backend, "\(shape), accumulate \(accumulate)") { backend, numbers in
                let x = numbers.window(rows, columns, scale: 4, on: backend)
                let (weight, bias) = (numbers.tensor([columns], on: backend), numbers.tensor([columns], on: backend))
                let y = numbers.target(rows, columns, on: backend)
                let statistics = backend.empty([rows, 2])
                backend.layerNorm(x, weight: weight, bias: bias, epsilon: 1e-5, into: y, statistics: statistics)
                let dy = numbers.window(rows, columns, on: backend)
                let dx = numbers.target(rows, columns, accumulate: accumulate, on: backend)
                let dw = numbers.target([columns], accumulate: accumulate, on: backend)
                let db = numbers.target([columns], accumulate: accumulate, on: backend)
                let again = numbers.target(rows, columns, on: backend)
                backend.layerNormGradient(
                    x, weight: weight, statistics: statistics, gradient: dy, into: (dx, accumulate),
                    weightGradient: (dw, accumulate), biasGradient: (db, accumulate), value: (again, bias, 1e-5))
                let alone = numbers.target(rows, columns, accumulate: accumulate, on: backend)
                backend.layerNormGradient(
                    x, weight: weight, statistics: statistics, gradient: dy, into: (alone, accumulate),
                    weightGradient: nil, biasGradient: nil, value: nil)
                let onlyWeight = numbers.target([columns], accumulate: accumulate, on: backend)
                let onlyBias = numbers.target([columns], accumulate: accumulate, on: backend)
                let onlyValue = numbers.target(rows, columns, on: backend)
                backend.layerNormGradient(
                    x, weight: weight, statistics: statistics, gradient: dy, into: nil,
                    weightGradient: (onlyWeight, accumulate), biasGradient: nil, value: (onlyValue, bias, 1e-5))
                backend.layerNormGradient(
                    x, weight: weight, statistics: statistics, gradient: dy, into: nil,
                    weightGradient: nil, biasGradient: (onlyBias, accumulate), value: nil)
                #expect(again.floats == y.floats && onlyValue.floats == y.floats)
                return [
                    ("y", y.surroundings, .forward), ("statistics", statistics.floats, .forward),
                    ("dx", dx.surroundings, .gradient), ("dw", dw.floats, .gradient), ("db", db.floats, .gradient),
                    ("dx alone", alone.surroundings, .gradient), ("dw alone", onlyWeight.floats, .gradient),
                    ("db alone", onlyBias.floats, .gradient),
                ]
            }
        }
    }

    /// A mean far from zero: the sum of squares minus the squared mean would cancel.
    @Test(arguments: TestBackend.optimized)
    func layerNormOfShiftedRows(_ backend: TestBackend) {
        expectLikeReference(backend) { backend, numbers in
            let x = Tensor(numbers.values(7 * 96).map { $0 + 256 }, shape: [7, 96], on: backend)
            let (weight, bias) = (numbers.tensor([96], on: backend), numbers.tensor([96], on: backend))
            let (y, statistics) = (backend.empty([7, 96]), backend.empty([7, 2]))
            backend.layerNorm(
                x.matrix, weight: weight, bias: bias, epsilon: 1e-5, into: y.matrix, statistics: statistics)
            // The mean itself, near 256, is only known to half a float32 step of 3e-5.
            return [("y", y.floats, .absolute(2e-4))]
        }
    }

    @Test(arguments: TestBackend.optimized, matrixShapes)
    func rmsNorm(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        for accumulate in [false, true] {
            expectLikeReference(backend, "\(shape), accumulate \(accumulate)") { backend, numbers in
                let x = numbers.window(rows, columns, scale: 4, on: backend)
                let weight = numbers.tensor([columns], on: backend)
                let y = numbers.target(rows, columns, on: backend)
                let statistics = backend.empty([rows])
                backend.rmsNorm(x, weight: weight, epsilon: 1e-5, into: y, statistics: statistics)
                let dy = numbers.window(rows, columns, on: backend)
                let dx = numbers.target(rows, columns, accumulate: accumulate, on: backend)
                let dw = numbers.target([columns], accumulate: accumulate, on: backend)
                let again = numbers.target(rows, columns, on: backend)
                backend.rmsNormGradient(
                    x, weight: weight, statistics: statistics, gradient: dy, into: (dx, accumulate),
                    weightGradient: (dw, accumulate), value: (again, 1e-5))
                let alone = numbers.target(rows, columns, accumulate: accumulate, on: backend)
                backend.rmsNormGradient(
                    x, weight: weight, statistics: statistics, gradient: dy, into: (alone, accumulate),
                    weightGradient: nil, value: nil)
                let onlyWeight = numbers.target([columns], accumulate: accumulate, on: backend)
                let onlyValue = numbers.target(rows, columns, on: backend)
                backend.rmsNormGradient(
                    x, weight: weight, statistics: statistics, gradient: dy, into: nil,
                    weightGradient: (onlyWeight, accumulate), value: (onlyValue, 1e-5))
                #expect(again.floats == y.floats && onlyValue.floats == y.floats)
                return [
                    ("y", y.surroundings, .forward), ("statistics", statistics.floats, .forward),
                    ("dx", dx.surroundings, .gradient), ("dw", dw.floats, .gradient),
                    ("dx alone", alone.surroundings, .gradient), ("dw alone", onlyWeight.floats, .gradient),
                ]
            }
        }
    }

    @Test(arguments: TestBackend.optimized, matrixShapes)
    func normalizeRows(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        for (accumulate, scale) in [(false, Float(1)), (true, 1), (false, 0)] {
            expectLikeReference(backend, "\(shape), accumulate \(accumulate), scale \(scale)") { backend, numbers in
                let x = numbers.window(rows, columns, scale: scale, on: backend)
                let y = numbers.target(rows, columns, on: backend)
                let norms = backend.empty([rows])
                backend.normalizeRows(x, epsilon: 1e-3, into: y, norms: norms)
                let dy = numbers.window(rows, columns, on: backend)
                let dx = numbers.target(rows, columns, accumulate: accumulate, on: backend)
                backend.normalizeRowsGradient(
                    normalized: y, norms: norms, gradient: dy, epsilon: 1e-3, into: dx, accumulate: accumulate)
                return [
                    ("y", y.surroundings, .forward), ("norms", norms.floats, .forward),
                    ("dx", dx.surroundings, .gradient),
                ]
            }
        }
    }
}
