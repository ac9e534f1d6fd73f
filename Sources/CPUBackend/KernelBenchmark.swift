import Basics
import TensorCore

/// Times each kernel on shapes of a small language model and a vision tower, beside what the machine's memory gives.
///
/// Bytes are those that must be read and written once; where a working set fits the caches, the rate may lie above the memory's.
public struct KernelBenchmark {
    /// One kernel's median time.
    public struct Result: Sendable {
        /// The kernel and its shape.
        public let name: String
        /// Median seconds of a call.
        public let seconds: Double
        /// Bytes that a call reads and writes at least.
        public let bytes: Double
        /// Floating-point operations of a call; 0 where memory is the limit.
        public let operations: Double

        /// How the factors of the kernel's products are rounded.
        public let precision: ProductPrecision

        /// Gigabytes a second.
        public var gigabytesPerSecond: Double { bytes / seconds * 1e-9 }
        /// Billions of floating-point operations a second.
        public var gigaflops: Double { operations / seconds * 1e-9 }

        /// The time over what the machine's limits allow.
        public func overFloor(_ limits: MachineLimits) -> Double {
            seconds / limits.floor(operations: operations, bytes: bytes, precision: precision)
        }
    }

    let backend: CPUBackend
    private let repetitions: Int
    private var results: [Result] = []

    /// Measures every kernel; each is called `repetitions` times after one call of warm-up.
    public static func run(on backend: CPUBackend, repetitions: Int = 11) -> [Result] {
        var benchmark = KernelBenchmark(backend: backend, repetitions: repetitions)
        benchmark.measureProducts()
        benchmark.measureStreams()
        benchmark.measureElementwise()
        benchmark.measureRows()
        benchmark.measureLossAndOptimizer()
        benchmark.measureAttention()
        benchmark.measureDecoding()
        return benchmark.results
    }

    private init(backend: CPUBackend, repetitions: Int) {
        self.backend = backend
        self.repetitions = max(1, repetitions)
    }

    private mutating func measure(_ name: String, floats: Int, operations: Double = 0, _ call: () -> Void) {
        measure(name, bytes: 4 * Double(floats), operations: operations, call)
    }

    mutating func measure(
        _ name: String, bytes: Double, operations: Double, precision: ProductPrecision = .float32, _ call: () -> Void
    ) {
        call()
        let clock = ContinuousClock()
        let times = (0..<repetitions).map { _ in clock.measure(call) / .seconds(1) }
        results.append(
            Result(name: name, seconds: times.median, bytes: bytes, operations: operations, precision: precision))
    }

    /// A tensor of small numbers that are no denormals.
    func numbers(_ shape: Shape) -> Tensor {
        Tensor((0..<shape.count).map { Float(($0 &* 7919) % 2048 - 1024) / 1024 }, shape: shape, on: backend)
    }

    private mutating func measureElementwise() {
        let count = 1 << 20
        let (x, y, z) = (numbers([count]), numbers([count]), backend.empty([count]))
        let backend = backend
        measure("add 1M", floats: 3 * count) { backend.add(x, y, into: z) }
        for function in Activation.allCases {
            measure("\(function.rawValue) 1M", floats: 2 * count) { backend.activation(function, x, into: z) }
            measure("\(function.rawValue) gradient 1M", floats: 3 * count) {
                backend.activationGradient(function, x, gradient: y, into: z, accumulate: false, value: nil)
            }
        }
        measure("dropout 1M", floats: 2 * count) {
            backend.dropout(x, rate: 0.1, seed: 1, into: z, accumulate: false)
        }
        let (gates, product) = (numbers([1024, 3072]), backend.empty([1024, 1536]))
        measure("gated silu 1024x1536", floats: 3 * product.count) {
            backend.gatedActivation(.silu, gates.matrix, into: product.matrix)
        }
    }

    private mutating func measureRows() {
        let (rows, columns) = (3136, 768)
        let (x, gradient, into) = (
            numbers([rows, columns]), numbers([rows, columns]), backend.empty([rows, columns])
        )
        let (weight, bias, statistics) = (numbers([columns]), numbers([columns]), numbers([rows, 2]))
        let (backend, count) = (backend, rows * columns)
        measure("layer norm \(rows)x\(columns)", floats: 2 * count) {
            backend.layerNorm(
                x.matrix, weight: weight, bias: bias, epsilon: 1e-6, into: into.matrix, statistics: statistics)
        }
        measure("layer norm gradient", floats: 3 * count) {
            backend.layerNormGradient(
                x.matrix, weight: weight, statistics: statistics, gradient: gradient.matrix,
                into: (into.matrix, accumulate: false), weightGradient: (bias, accumulate: false), biasGradient: nil,
                value: nil)
        }
        measure("RMS norm \(rows)x\(columns)", floats: 2 * count) {
            backend.rmsNorm(x.matrix, weight: weight, epsilon: 1e-5, into: into.matrix, statistics: statistics)
        }
        measure("sum of rows", floats: count) { backend.sumRows(x.matrix, nil, into: bias, accumulate: false) }
        let (positions, table) = (Tensor((0..<Int32(rows)).map { $0 % 256 }, on: backend), numbers([256, 64]))
        measure("rotary positions", floats: 2 * count) {
            backend.rotate(into.matrix, headWidth: 64, positions: positions, table: table, inverse: false)
        }
        measure("gather rows", floats: 2 * count) {
            backend.gatherRows(x.matrix, indices: positions, into: into.matrix, accumulate: false)
        }
    }

    private mutating func measureLossAndOptimizer() {
        let (rows, vocabulary) = (256, 49_152)
        let (logits, losses) = (numbers([rows, vocabulary]), backend.empty([rows]))
        let labels = Tensor((0..<Int32(rows)).map { $0 * 31 }, on: backend)
        let backend = backend
        measure("cross-entropy \(rows)x\(vocabulary)", floats: 2 * logits.count) {
            backend.softmaxCrossEntropy(logits.matrix, labels: labels, losses: losses, gradientScale: 1)
        }
        let count = 1 << 22
        let slice = AdamWSlice(
            parameter: numbers([count]), gradient: numbers([count]), firstMoment: backend.zeros([count]),
            secondMoment: backend.zeros([count]), learningRate: 1e-4, weightDecay: 0.1)
        let settings = AdamWSettings(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 10, gradientScale: 1)
        measure("AdamW 4M", floats: 7 * count) { _ = backend.adamW([slice], settings: settings) }
        measure("sum of squares 4M", floats: count) { _ = backend.sumOfSquares([slice.gradient]) }
    }

    private mutating func measureAttention() {
        let shapes: [(name: String, segments: Int, length: Int, heads: HeadLayout, isCausal: Bool)] = [
            ("4x256 causal, 9/3 heads of 64", 4, 256, HeadLayout(queryHeads: 9, keyValueHeads: 3, width: 64), true),
            ("16x196, 12 heads of 64", 16, 196, HeadLayout(queryHeads: 12, keyValueHeads: 12, width: 64), false),
            ("64x88 causal, 6/2 heads of 32", 64, 88, HeadLayout(queryHeads: 6, keyValueHeads: 2, width: 32), true),
        ]
        let backend = backend
        for (name, count, length, heads, isCausal) in shapes {
            let segments = AttentionSegments.uniform(count: count, length: length, isCausal: isCausal)
            let (rows, q, kv) = (count * length, heads.queryColumns, heads.keyValueColumns)
            let (inputs, gradients) = (numbers([rows, q + 2 * kv]), backend.empty([rows, q + 2 * kv]))
            let (output, upstream) = (backend.empty([rows, q]), numbers([rows, q]))
            let logSumExp = backend.empty([rows, heads.queryHeads])
            func parts(_ tensor: Tensor) -> (query: Matrix, key: Matrix, value: Matrix) {
                let all = tensor.matrix
                return (all.columns(0..<q), all.columns(q..<q + kv), all.columns(q + kv..<q + 2 * kv))
            }
            let (x, dx) = (parts(inputs), parts(gradients))
            let pairs = Double(rows * q) * (isCausal ? Double(length + 1) / 2 : Double(length))
            measure("attention \(name)", floats: inputs.count + output.count, operations: 4 * pairs) {
                backend.attention(
                    query: x.query, key: x.key, value: x.value, heads: heads, segments: segments,
                    into: output.matrix, logSumExp: logSumExp)
            }
            measure("attention gradient \(name)", floats: 2 * (inputs.count + output.count), operations: 10 * pairs) {
                backend.attentionGradient(
                    query: x.query, key: x.key, value: x.value, output: output.matrix, logSumExp: logSumExp,
                    gradient: upstream.matrix, heads: heads, segments: segments, intoQuery: dx.query, key: dx.key,
                    value: dx.value)
            }
        }
    }

    private mutating func measureDecoding() {
        let heads = HeadLayout(queryHeads: 9, keyValueHeads: 3, width: 64)
        let (keys, values) = (numbers([8192, heads.keyValueColumns]), numbers([8192, heads.keyValueColumns]))
        let (query, output) = (numbers([16, heads.queryColumns]), backend.empty([16, heads.queryColumns]))
        let backend = backend
        for (count, length) in [(1, 8192), (16, 512)] {
            let segments = AttentionSegments(
                queryOffsets: (0...Int32(count)).map { $0 }, keyStarts: (0..<Int32(count)).map { $0 * Int32(length) },
                keyCounts: Array(repeating: Int32(length), count: count), isCausal: true)
            measure("attention of one token, \(count) caches of \(length)", floats: keys.count + values.count) {
                backend.attention(
                    query: query.matrix.rows(0..<count), key: keys.matrix, value: values.matrix, heads: heads,
                    segments: segments, into: output.matrix.rows(0..<count), logSumExp: nil)
            }
        }
    }
}
