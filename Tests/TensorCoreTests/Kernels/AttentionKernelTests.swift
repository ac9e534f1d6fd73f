import CPUBackend
import TensorCore
import TestSupport
import Testing

@Suite struct AttentionKernelTests {
    @Test(arguments: TestBackend.optimized, AttentionCase.all)
    func attention(_ backend: TestBackend, _ arrangement: AttentionCase) {
        // Values to 8 make scores near 100, whose float32 rounding of a few 1e-5 is the relative error of the probabilities.
        for (scale, outputTolerance, gradientTolerance) in [
            (Float(1), Tolerance.forward, Tolerance.gradient), (8, .ofScale(5e-5), .ofScale(1.5e-4)),
        ] {
            expectLikeReference(backend.make(), "\(arrangement.testDescription), values to \(scale)") {
                results(arrangement, scale, outputTolerance, gradientTolerance, $0, &$1)
            }
        }
    }

    /// Factors rounded to bfloat16: eight bits, so a score of terms to 1 is a few thousandths off, and so are
    /// probabilities. Gradients are differences and have no scale of their own.
    @Test(arguments: [1, 4], AttentionCase.all)
    func attentionInBFloat16(_ threads: Int, _ arrangement: AttentionCase) {
        let backend = CPUBackend(threads: threads, products: .bfloat16)
        expectLikeReference(backend, "\(arrangement.testDescription), bfloat16") {
            results(arrangement, 1, .ofScale(8e-3), .absolute(1e-2), $0, &$1)
        }
    }

    /// Keys and values of a cache are bfloat16 where products round to it, and so are results that only products read: few
    /// queries, many, windows, widths off the vectors.
    @Test(arguments: [1, 4], AttentionCase.all)
    func keysAndResultsInBFloat16(_ threads: Int, _ arrangement: AttentionCase) {
        let (heads, segments) = (arrangement.heads, arrangement.segments)
        let (rows, q, kv) = (segments.queryCount, heads.queryColumns, heads.keyValueColumns)
        for (precision, tolerance) in [(ProductPrecision.float32, Tolerance.forward), (.bfloat16, .ofScale(8e-3))] {
            let backend = CPUBackend(threads: threads, products: precision)
            expectLikeReference(backend, "\(arrangement.testDescription), \(precision)") { backend, numbers in
                let query = numbers.window(rows, q, on: backend)
                let cache = numbers.tensor([arrangement.keyRows, 2 * kv + 3], .bfloat16, on: backend).matrix
                let output = numbers.target(rows, q, on: backend)
                let logSumExp = backend.zeros([rows, heads.queryHeads])
                backend.attention(
                    query: query, key: cache.columns(0..<kv), value: cache.columns(kv + 3..<2 * kv + 3), heads: heads,
                    segments: segments, into: output, logSumExp: logSumExp)
                let narrow = numbers.tensor([rows, q + 5], .bfloat16, on: backend)
                backend.attention(
                    query: query, key: cache.columns(0..<kv), value: cache.columns(kv + 3..<2 * kv + 3), heads: heads,
                    segments: segments, into: narrow.matrix.columns(3..<q + 3), logSumExp: nil)
                return [
                    ("output", output.surroundings, tolerance), ("log-sum-exp", logSumExp.floats, tolerance),
                    ("narrow output", narrow.floats, .ofScale(8e-3)),
                ]
            }
        }
    }

    /// Scores far from zero: maxima move from one block of keys to the next, and one key takes nearly everything.
    @Test func largeScoresInBFloat16() {
        let layout = HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 32, scale: 1)
        let segments = AttentionSegments(offsets: [0, 611, 640], isCausal: true)
        func run(_ backend: any Backend) -> (output: [Float], sums: [Float]) {
            var numbers = NumberStream(seed: 4)
            // Small integers are exact in bfloat16, and so are their products: only probabilities round.
            func whole(_ columns: Int) -> Tensor {
                Tensor(numbers.integers(640 * columns, in: -6..<7).map(Float.init), shape: [640, columns], on: backend)
            }
            let (query, key, value) = (whole(64), whole(32), whole(32))
            let output = backend.empty([640, 64])
            let sums = backend.empty([640, 2])
            backend.attention(
                query: query.matrix, key: key.matrix, value: value.matrix, heads: layout, segments: segments,
                into: output.matrix, logSumExp: sums)
            return (output.floats, sums.floats)
        }
        let expected = run(TestBackend.reference.make())
        let actual = run(CPUBackend(threads: 3, products: .bfloat16))
        expectClose(actual.sums, expected.sums, .ofScale(1e-6), "log-sum-exp")
        expectClose(actual.output, expected.output, .ofScale(6e-3), "output")
    }

    private func results(
        _ arrangement: AttentionCase, _ scale: Float, _ outputTolerance: Tolerance, _ gradientTolerance: Tolerance,
        _ backend: any Backend, _ numbers: inout NumberStream
    ) -> [KernelResult] {
        let (heads, segments) = (arrangement.heads, arrangement.segments)
        let (rows, q, kv) = (segments.queryCount, heads.queryColumns, heads.keyValueColumns)
        let query = numbers.window(rows, q, scale: scale, on: backend)
        let keyValue = numbers.window(arrangement.keyRows, 2 * kv, scale: scale, on: backend)
        let (key, value) = (keyValue.columns(0..<kv), keyValue.columns(kv..<2 * kv))
        let output = numbers.target(rows, q, on: backend)
        let logSumExp = backend.zeros([rows, heads.queryHeads])
        backend.attention(
            query: query, key: key, value: value, heads: heads, segments: segments, into: output,
            logSumExp: logSumExp)
        let again = numbers.target(rows, q, on: backend)
        backend.attention(
            query: query, key: key, value: value, heads: heads, segments: segments, into: again, logSumExp: nil)
        let upstream = numbers.window(rows, q, on: backend)
        let dq = numbers.target(rows, q, on: backend)
        let dkv = numbers.target(arrangement.keyRows, 2 * kv, on: backend)
        backend.attentionGradient(
            query: query, key: key, value: value, output: output, logSumExp: logSumExp, gradient: upstream,
            heads: heads, segments: segments, intoQuery: dq, key: dkv.columns(0..<kv),
            value: dkv.columns(kv..<2 * kv))
        return [
            ("output", output.surroundings, outputTolerance),
            ("log-sum-exp", logSumExp.floats, outputTolerance),
            ("output of inference", again.surroundings, outputTolerance),
            ("around dq", dq.surroundings, gradientTolerance), ("dq", dq.floats, gradientTolerance),
            ("around dk and dv", dkv.surroundings, gradientTolerance),
            ("dk", dkv.columns(0..<kv).floats, gradientTolerance),
            ("dv", dkv.columns(kv..<2 * kv).floats, gradientTolerance),
        ]
    }

    @Test(arguments: TestBackend.optimized, [2, 6, 16, 50, 64])
    func rotation(_ backend: TestBackend, _ headWidth: Int) {
        for (rows, heads) in [(1, 1), (0, 2), (5, 3), (67, 6)] {
            for inverse in [false, true] {
                expectLikeReference(backend, "\(rows) rows of \(heads)×\(headWidth), inverse \(inverse)") {
                    backend, numbers in
                    let x = numbers.window(rows, heads * headWidth, on: backend)
                    let table = numbers.tensor([40, headWidth], on: backend)
                    let positions = Tensor(numbers.integers(rows, in: 0..<40), on: backend)
                    backend.rotate(x, headWidth: headWidth, positions: positions, table: table, inverse: inverse)
                    return [("rotated", x.surroundings, .ofScale(5e-7))]
                }
            }
        }
    }
}
