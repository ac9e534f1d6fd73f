import TensorCore
import TestSupport
import Testing

@Suite struct TuningKernelTests {
    /// Ranks on both sides of the kernels' limit, and off the sizes of their tiles.
    @Test(arguments: TestBackend.optimized, [1, 3, 4, 8, 13, 16, 17])
    func lowRank(_ backend: TestBackend, _ rank: Int) {
        for (rows, inputs, outputs) in [(0, 5, 3), (1, 1, 1), (5, 7, 33), (37, 129, 64), (530, 96, 48)] {
            expectLikeReference(backend, "rank \(rank), \(rows) rows, \(inputs) to \(outputs)") { backend, numbers in
                let x = numbers.window(rows, inputs, on: backend)
                let a = numbers.tensor([rank, inputs], on: backend)
                let b = numbers.tensor([outputs, rank], on: backend)
                let hidden = numbers.target([rows, rank], on: backend)
                let y = numbers.target(rows, outputs, accumulate: true, on: backend)
                backend.lowRank(x, a: a, b: b, scale: 0.5, hidden: hidden, into: y)
                var results: [KernelResult] = [
                    ("hidden", hidden.floats, .forward), ("y", y.surroundings, .forward),
                ]
                let dy = numbers.window(rows, outputs, on: backend)
                for accumulate in [false, true] {
                    let da = numbers.target(a.shape, accumulate: accumulate, on: backend)
                    let db = numbers.target(b.shape, accumulate: accumulate, on: backend)
                    let dx = numbers.target(rows, inputs, accumulate: accumulate, on: backend)
                    backend.lowRankGradient(
                        x, a: a, b: b, scale: 0.5, hidden: hidden, gradient: dy, aGradient: (da, accumulate),
                        bGradient: (db, accumulate), xGradient: (dx, accumulate))
                    results += [
                        ("A's gradient", da.floats, .gradient), ("B's gradient", db.floats, .gradient),
                        ("x's gradient", dx.surroundings, .gradient),
                    ]
                }
                return results
            }
        }
    }

    @Test(arguments: TestBackend.optimized)
    func lowRankGradientsThatNobodyWants(_ backend: TestBackend) {
        for wanted in 0..<8 {
            expectLikeReference(backend, "wanted \(wanted)") { backend, numbers in
                let (x, dy) = (numbers.window(37, 21, on: backend), numbers.window(37, 19, on: backend))
                let a = numbers.tensor([6, 21], on: backend)
                let b = numbers.tensor([19, 6], on: backend)
                let hidden = numbers.tensor([37, 6], on: backend)
                let (da, db) = (numbers.target(a.shape, on: backend), numbers.target(b.shape, on: backend))
                let dx = numbers.target(37, 21, on: backend)
                for tensor in [da, db] { backend.fill(tensor, 7) }
                backend.lowRankGradient(
                    x, a: a, b: b, scale: 2, hidden: hidden, gradient: dy,
                    aGradient: wanted & 1 != 0 ? (da, false) : nil, bGradient: wanted & 2 != 0 ? (db, false) : nil,
                    xGradient: wanted & 4 != 0 ? (dx, false) : nil)
                var results: [KernelResult] = [("A's", da.floats, .gradient), ("B's", db.floats, .gradient)]
                if wanted & 4 != 0 { results.append(("x's", dx.floats, .gradient)) }
                return results
            }
        }
    }

    /// Counts off the block, the run of blocks and the byte; codes that are every byte.
    @Test(arguments: TestBackend.optimized, [1, 63, 64, 65, 1_023, 70_001])
    func widenedCodes(_ backend: TestBackend, _ count: Int) {
        for isDouble in [false, true] {
            for bits in [4, 8] {
                expectLikeReference(backend, "\(bits) bits, double \(isDouble)") { backend, numbers in
                    let blocks = (count + 63) / 64
                    let codes = Tensor(bytes((count * bits / 8 + 4) / 4, &numbers), on: backend)
                    let values = bits == 4 ? numbers.values(16) : nil
                    let scales: CodedWeights.Scales =
                        isDouble
                        ? .coded(
                            Tensor(bytes((blocks + 3) / 4, &numbers), on: backend),
                            values: numbers.values(256), outer: numbers.tensor([(blocks + 255) / 256 + 1], on: backend))
                        : .plain(numbers.tensor([blocks], on: backend))
                    let result = numbers.target([count], on: backend)
                    backend.widen(CodedWeights(codes: codes, values: values, scales: scales), into: result)
                    return [("values", result.floats, .ofScale(3e-7))]
                }
            }
        }
    }

    /// Numbers of four bytes, each of which is any.
    private func bytes(_ count: Int, _ numbers: inout NumberStream) -> [Int32] {
        (0..<count).map { _ in Int32(truncatingIfNeeded: numbers.next()) }
    }
}
