import CPUBackend
import TensorCore
import TestSupport
import Testing

/// Kernels that read and write bfloat16: the same numbers as from the widened inputs, rounded once where they are stored.
@Suite struct NarrowKernelTests {
    private static let backends: [ProductPrecision] = [.float32, .bfloat16]

    /// Numbers that bfloat16 holds, stored in both types.
    private static func both(
        _ shape: Shape, scale: Float = 1, _ numbers: inout NumberStream, on backend: any Backend
    ) -> (wide: Tensor, narrow: Tensor) {
        let narrow = numbers.tensor(shape, .bfloat16, scale: scale, on: backend)
        return (Tensor(narrow.floats, shape: shape, on: backend), narrow)
    }

    private static func expectRounded(
        _ narrow: Tensor, _ wide: Tensor, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let rounded = wide.backend.empty(wide.shape, .bfloat16)
        wide.backend.convert(wide, into: rounded)
        expectClose(narrow.floats, rounded.floats, .exact, what, sourceLocation: sourceLocation)
    }

    @Test(arguments: [1, 4], matrixShapes)
    func activations(_ threads: Int, _ shape: (rows: Int, columns: Int)) {
        let backend = CPUBackend(threads: threads)
        var numbers = NumberStream(seed: 5)
        let (rows, columns) = shape
        let single = Self.both([rows, columns], scale: 4, &numbers, on: backend)
        let double = Self.both([rows, 2 * columns], scale: 4, &numbers, on: backend)
        let upstream = Self.both([rows, columns], &numbers, on: backend)
        for function in Activation.allCases {
            func expectSame(_ name: String, _ shape: Shape, _ kernel: (_ isNarrow: Bool, Tensor) -> Void) {
                let (wide, narrow) = (backend.empty(shape), backend.empty(shape, .bfloat16))
                kernel(false, wide)
                kernel(true, narrow)
                Self.expectRounded(narrow, wide, "\(name), \(function), \(rows) × \(columns)")
            }
            expectSame("value", single.wide.shape) {
                backend.activation(function, $0 ? single.narrow : single.wide, into: $1)
            }
            expectSame("gradient", single.wide.shape) {
                backend.activationGradient(
                    function, $0 ? single.narrow : single.wide, gradient: $0 ? upstream.narrow : upstream.wide,
                    into: $1, accumulate: false, value: nil)
            }
            expectSame("value beside the gradient", single.wide.shape) {
                backend.activationGradient(
                    function, $0 ? single.narrow : single.wide, gradient: $0 ? upstream.narrow : upstream.wide,
                    into: backend.empty(single.wide.shape), accumulate: false, value: $1)
            }
            expectSame("gated value", single.wide.shape) {
                backend.gatedActivation(function, ($0 ? double.narrow : double.wide).matrix, into: $1.matrix)
            }
            expectSame("gated gradient", double.wide.shape) {
                backend.gatedActivationGradient(
                    function, ($0 ? double.narrow : double.wide).matrix,
                    gradient: ($0 ? upstream.narrow : upstream.wide).matrix, into: $1.matrix, accumulate: false,
                    value: nil)
            }
            expectSame("gated value beside the gradient", upstream.wide.shape) {
                backend.gatedActivationGradient(
                    function, ($0 ? double.narrow : double.wide).matrix,
                    gradient: ($0 ? upstream.narrow : upstream.wide).matrix,
                    into: backend.empty(double.wide.shape).matrix, accumulate: false, value: $1.matrix)
            }
        }
        let (sums, narrowSums) = (backend.empty([columns]), backend.empty([columns]))
        backend.sumRows(single.wide.matrix, upstream.wide.matrix, into: sums, accumulate: false)
        backend.sumRows(single.narrow.matrix, upstream.narrow.matrix, into: narrowSums, accumulate: false)
        expectClose(narrowSums.floats, sums.floats, .exact, "sums of products of \(rows) × \(columns)")
        backend.sumRows(single.wide.matrix, nil, into: sums, accumulate: true)
        backend.sumRows(single.narrow.matrix, nil, into: narrowSums, accumulate: true)
        expectClose(narrowSums.floats, sums.floats, .exact, "sums of \(rows) × \(columns)")
    }

    /// Gradients of norms from one in bfloat16.
    @Test(arguments: [1, 4], matrixShapes)
    func norms(_ threads: Int, _ shape: (rows: Int, columns: Int)) {
        let backend = CPUBackend(threads: threads)
        var numbers = NumberStream(seed: 7)
        let (rows, columns) = shape
        let x = numbers.tensor([rows, columns], scale: 4, on: backend)
        let (weight, bias) = (numbers.tensor([columns], on: backend), numbers.tensor([columns], on: backend))
        let upstream = Self.both([rows, columns], &numbers, on: backend)
        let (y, statistics) = (backend.empty([rows, columns]), backend.empty([rows, 2]))
        func gradients(_ kernel: (_ dy: Matrix, _ dx: Matrix, _ sums: [Tensor]) -> Void) -> [[[Float]]] {
            [upstream.wide, upstream.narrow].map { dy in
                let (dx, sums) = (backend.empty([rows, columns]), (0..<2).map { _ in backend.empty([columns]) })
                for sum in sums { backend.fill(sum, 0) }
                kernel(dy.matrix, dx.matrix, sums)
                return ([dx] + sums).map(\.floats)
            }
        }
        backend.layerNorm(x.matrix, weight: weight, bias: bias, epsilon: 1e-5, into: y.matrix, statistics: statistics)
        let layer = gradients { dy, dx, sums in
            backend.layerNormGradient(
                x.matrix, weight: weight, statistics: statistics, gradient: dy, into: (dx, false),
                weightGradient: (sums[0], false), biasGradient: (sums[1], false), value: nil)
        }
        #expect(layer[0] == layer[1])
        backend.rmsNorm(x.matrix, weight: weight, epsilon: 1e-5, into: y.matrix, statistics: statistics)
        let root = gradients { dy, dx, sums in
            backend.rmsNormGradient(
                x.matrix, weight: weight, statistics: statistics, gradient: dy, into: (dx, false),
                weightGradient: (sums[0], false), value: nil)
        }
        #expect(root[0] == root[1])
    }

    @Test(arguments: [2, 6, 16, 50, 64])
    func rotation(_ headWidth: Int) {
        let backend = CPUBackend(threads: 3)
        var numbers = NumberStream(seed: 6)
        let x = Self.both([67, 3 * headWidth], &numbers, on: backend)
        let table = numbers.tensor([40, headWidth], on: backend)
        let positions = Tensor(numbers.integers(67, in: 0..<40), on: backend)
        for tensor in [x.wide, x.narrow] {
            backend.rotate(tensor.matrix, headWidth: headWidth, positions: positions, table: table, inverse: true)
        }
        Self.expectRounded(x.narrow, x.wide, "heads of \(headWidth)")
    }

    /// Results in bfloat16, also where sums are added to what is there or come by more than once.
    @Test(arguments: backends, [64, 1_100])
    func products(_ precision: ProductPrecision, _ terms: Int) {
        let backend = CPUBackend(threads: 2, products: precision)
        for (rows, columns) in [(5, 33), (67, 96)] {
            var numbers = NumberStream(seed: 7)
            let a = Self.both([terms, rows], &numbers, on: backend)
            let b = Self.both([terms, columns], &numbers, on: backend)
            let start = Self.both([rows, columns + 4], &numbers, on: backend)
            for accumulate in [false, true] {
                let narrow = backend.empty([rows, columns + 4], .bfloat16)
                let wide = backend.empty([rows, columns + 4])
                backend.copy(start.narrow, into: narrow)
                backend.copy(start.wide, into: wide)
                for (left, result) in [(a.wide, wide), (a.narrow, narrow)] {
                    backend.product(
                        left.matrix, transposeA: true, b.narrow.matrix, transposeB: false, alpha: 0.5, bias: nil,
                        into: result.matrix.columns(3..<columns + 3), accumulate: accumulate)
                }
                // A sum next to the middle between two bfloat16 numbers may fall to either.
                expectClose(
                    narrow.floats, wide.floats, .ofScale(4e-3), "\(rows) × \(columns), accumulate \(accumulate)")
            }
        }
    }

    /// Queries, keys, values, results and gradients in bfloat16: in precision float32 and with short segments by way of copies.
    @Test(arguments: backends, AttentionCase.all)
    func attention(_ precision: ProductPrecision, _ arrangement: AttentionCase) {
        let (heads, segments) = (arrangement.heads, arrangement.segments)
        let (q, kv) = (heads.queryColumns, heads.keyValueColumns)
        let backend = CPUBackend(threads: 4, products: precision)
        var numbers = NumberStream(seed: 8)
        let query = Self.both([segments.queryCount, q], &numbers, on: backend)
        let keyValue = Self.both([arrangement.keyRows, 2 * kv], &numbers, on: backend)
        let upstream = Self.both([segments.queryCount, q], &numbers, on: backend)
        func run(_ isNarrow: Bool) -> [[Float]] {
            let dtype: DType = isNarrow ? .bfloat16 : .float32
            let (query, upstream) = isNarrow ? (query.narrow, upstream.narrow) : (query.wide, upstream.wide)
            let keyValue = (isNarrow ? keyValue.narrow : keyValue.wide).matrix
            let (key, value) = (keyValue.columns(0..<kv), keyValue.columns(kv..<2 * kv))
            let sums = backend.zeros([segments.queryCount, heads.queryHeads])
            let (output, dq) = (backend.empty(query.shape, dtype), backend.empty(query.shape, dtype))
            let zeros = backend.zeros([arrangement.keyRows, 2 * kv])
            let dkv = backend.empty(zeros.shape, dtype)
            backend.convert(zeros, into: dkv)
            backend.attention(
                query: query.matrix, key: key, value: value, heads: heads, segments: segments, into: output.matrix,
                logSumExp: sums)
            backend.attentionGradient(
                query: query.matrix, key: key, value: value, output: output.matrix, logSumExp: sums,
                gradient: upstream.matrix, heads: heads, segments: segments, intoQuery: dq.matrix,
                key: dkv.matrix.columns(0..<kv), value: dkv.matrix.columns(kv..<2 * kv))
            return [output.floats, sums.floats, dq.floats, dkv.floats]
        }
        for (name, (narrow, wide)) in zip(["output", "log-sum-exp", "dq", "dk and dv"], zip(run(true), run(false))) {
            expectClose(narrow, wide, .absolute(1e-2), "\(arrangement.testDescription), \(name)")
        }
    }
}
