import CKernels
import Testing

/// Products of few rows with stored weights, on every instruction set of this machine, against sums in `Double` over
/// the values that the formats define.
@Suite struct MatvecTests {
    static let sizes: [ProductCase.Size] = [
        .init(1, 1, 1), .init(1, 16, 32), .init(1, 37, 65), .init(2, 19, 100), .init(3, 64, 96), .init(5, 33, 31),
        .init(8, 48, 160), .init(16, 35, 257), .init(17, 20, 64), .init(70, 21, 70), .init(4, 6, 24),
        .init(6, 25, 33), .init(13, 72, 576), .init(40, 50, 95), .init(64, 49, 288),
        .init(1, 21, 2_100), .init(3, 18, 2_100),
    ]
    static let formats = [VITRAIL_WEIGHTS_FLOAT32, VITRAIL_WEIGHTS_BFLOAT16] + blocks
    static let blocks = [
        VITRAIL_WEIGHTS_INT4, VITRAIL_WEIGHTS_INT8_64, VITRAIL_WEIGHTS_INT8_128, VITRAIL_WEIGHTS_INT8_192,
        VITRAIL_WEIGHTS_INT8_256,
    ]

    /// What suits the processor, read before any test sets another.
    private static let asksFar = vitrail_cpu_asks_far()

    @Test("products of few rows agree with Double", arguments: formats, ProductTests.levels)
    func sums(format: vitrail_weight_format, level: vitrail_cpu_level) throws {
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        let pool = try #require(vitrail_pool_create(3, false))
        defer { vitrail_pool_destroy(pool) }
        for (index, size) in Self.sizes.enumerated() {
            let test = ProductCase(
                size, transposeA: false, transposeB: true, accumulate: index % 2 == 1, bias: index % 3 != 0,
                seed: UInt64(400 + index))
            let weights = StoredWeights(test, format: format)
            let result = weights.multiply(test, pool)
            for i in 0..<size.m {
                let x = weights.activations(Array(test.a[i * test.lda..<i * test.lda + size.k]))
                for j in 0..<size.n {
                    var sum =
                        Double(test.bias?[j] ?? 0) + (test.accumulate ? Double(test.initial[i * test.ldc + j]) : 0)
                    var magnitude = 1.0
                    for p in 0..<size.k {
                        let term = x[p] * weights.values[j * size.k + p]
                        sum += term
                        magnitude += abs(term)
                    }
                    let error = abs(Double(result[i * test.ldc + j]) - sum)
                    #expect(
                        error <= Double(size.k + 8) * 0x1p-24 * magnitude,
                        "\(test.name) format \(format.rawValue) level \(level.rawValue) at \(i), \(j): \(error)")
                }
                for j in size.n..<test.ldc { #expect(result[i * test.ldc + j] == test.initial[i * test.ldc + j]) }
            }
            let repeats = weights.multiply(test, pool) == result
            #expect(repeats, "\(test.name): a second run differs")
            let same = weights.multiply(test, nil) == result
            #expect(same, "\(test.name): one thread differs from three")
        }
    }

    @Test("a row's sums do not depend on its neighbours, from three on", arguments: ProductTests.levels)
    func neighbours(level: vitrail_cpu_level) throws {
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        guard vitrail_matvec_is_wide() else { return }
        let pool = try #require(vitrail_pool_create(2, false))
        defer { vitrail_pool_destroy(pool) }
        // Tiles take whole groups of sixteen rows of weights.
        for (n, k) in [(48, 200), (32, 576)] + (level == VITRAIL_CPU_AMX ? [] : [(53, 95), (7, 31)]) {
            var test = ProductCase(.init(64, n, k), transposeA: false, transposeB: true, bias: true, seed: UInt64(n))
            let weights = StoredWeights(test, format: VITRAIL_WEIGHTS_BFLOAT16)
            let whole = weights.multiply(test, pool)
            for m in [3, 4, 5, 7, 9, 16, 18, 33, 63] {
                test.size = .init(m, n, k)
                let isSame = weights.multiply(test, pool)[..<(m * test.ldc)] == whole[..<(m * test.ldc)]
                #expect(isSame, "\(m) rows by [\(n), \(k)]")
            }
        }
    }

    @Test("how far ahead weights are asked for changes no bit", arguments: formats, ProductTests.levels)
    func asking(format: vitrail_weight_format, level: vitrail_cpu_level) {
        let (before, own) = (vitrail_cpu_limit_thread(level), Self.asksFar)
        defer {
            _ = vitrail_cpu_limit_thread(before)
            vitrail_cpu_ask_far(own)
        }
        for (index, size) in Self.sizes.enumerated() {
            let test = ProductCase(size, transposeA: false, transposeB: true, bias: true, seed: UInt64(500 + index))
            let weights = StoredWeights(test, format: format)
            let results = [false, true].map { far in
                vitrail_cpu_ask_far(far)
                return weights.multiply(test, nil)
            }
            #expect(results[0] == results[1], "\(test.name)")
        }
    }

    @Test("quantised weights lie within half a step of the weights")
    func rounding() {
        let test = ProductCase(.init(1, 40, 96), transposeA: false, transposeB: true, seed: 77)
        for format in Self.blocks {
            let least = format == VITRAIL_WEIGHTS_INT4 ? 0.09 : 0.005
            let weights = StoredWeights(test, format: format)
            var error = 0.0, total = 0.0
            for j in 0..<40 {
                for p in 0..<96 {
                    let exact = Double(test.b[j * test.ldb + p])
                    error += (exact - weights.values[j * 96 + p]) * (exact - weights.values[j * 96 + p])
                    total += exact * exact
                }
            }
            #expect((error / total).squareRoot() < least)
        }
        #expect(vitrail_quantized_bytes(VITRAIL_WEIGHTS_INT8_64, 16, 128) == 16 * 128 + 2 * 16 * 2)
        #expect(vitrail_quantized_bytes(VITRAIL_WEIGHTS_INT8_192, 17, 576) == 2 * (16 * 576 + 3 * 16 * 2))
        #expect(vitrail_quantized_bytes(VITRAIL_WEIGHTS_INT4, 17, 64) == 2 * (16 * 64 / 2 + 2 * 16 * 2))
        #expect(vitrail_quantized_bytes(VITRAIL_WEIGHTS_FLOAT32, 16, 64) == 0)
    }

    @Test("zero, tiny and huge weights stay finite")
    func extremes() {
        for value: Float in [0, 1e-30, 3e-5, 1e5, 3e38] {
            for format in Self.blocks {
                let row = [Float](repeating: value, count: 64)
                let bytes = vitrail_quantized_bytes(format, 1, 64)
                let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
                defer { memory.deallocate() }
                row.withUnsafeBytes {
                    vitrail_quantize(nil, format, $0.baseAddress, VITRAIL_FLOAT32, 64, 1, 64, memory)
                }
                var block = [Int8](repeating: 0, count: terms(of: format))
                let scale = vitrail_quantized_block(format, memory, 64, 0, 0, &block)
                #expect(scale.isFinite)
                if value == 0 { #expect(block.allSatisfy { Float($0) * scale == 0 }) }
            }
        }
    }

    @Test("read bandwidth is measured")
    func bandwidth() {
        let bytes = 1 << 22
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 1, count: bytes)
        var seconds = 0.0
        let around = ContinuousClock().measure { seconds = vitrail_read_seconds(nil, memory, bytes) } / .seconds(1)
        // No core of today reads a terabyte a second; other work may halt it for as long as it likes.
        #expect(Double(bytes) / seconds < 1e12 && seconds <= around)
    }
}

/// Terms that share a scale.
private func terms(of format: vitrail_weight_format) -> Int {
    if format == VITRAIL_WEIGHTS_INT4 { return Int(VITRAIL_INT4_TERMS) }
    return Int(VITRAIL_INT8_STEP_TERMS) * Int(format.rawValue - VITRAIL_WEIGHTS_INT8_64.rawValue + 1)
}

/// Weights of a test in one format, and the values that they stand for.
final class StoredWeights {
    let format: vitrail_weight_format
    let memory: UnsafeMutableRawPointer
    /// What the stored weights mean, `[n, k]`.
    private(set) var values: [Double]

    init(_ test: ProductCase, format: vitrail_weight_format) {
        self.format = format
        let (n, k) = (test.size.n, test.size.k)
        let bytes = max(vitrail_quantized_bytes(format, Int64(n), Int64(k)), test.b.count * 4)
        memory = .allocate(byteCount: bytes, alignment: 64)
        values = (0..<n * k).map { Double(test.b[$0 / k * test.ldb + $0 % k]) }
        switch format {
        case VITRAIL_WEIGHTS_FLOAT32:
            memory.initializeMemory(as: Float.self, from: test.b, count: test.b.count)
        case VITRAIL_WEIGHTS_BFLOAT16:
            let halves = test.b.map(ProductCase.bfloat16)
            memory.initializeMemory(as: UInt16.self, from: halves, count: halves.count)
            values = values.map { Double(ProductCase.rounded(Float($0))) }
        default:
            test.b.withUnsafeBytes {
                vitrail_quantize(
                    nil, format, $0.baseAddress, VITRAIL_FLOAT32, Int64(test.ldb), Int64(n), Int64(k), memory)
            }
            let terms = terms(of: format)
            var block = [Int8](repeating: 0, count: terms)
            for row in 0..<n {
                for start in stride(from: 0, to: k, by: terms) {
                    let scale = vitrail_quantized_block(
                        format, memory, Int64(k), Int64(row), Int64(start / terms), &block)
                    for p in start..<min(start + terms, k) {
                        values[row * k + p] = Double(scale) * Double(block[p - start])
                    }
                }
            }
        }
    }

    deinit { memory.deallocate() }

    /// A row of x as the format rounds it.
    func activations(_ x: [Float]) -> [Double] {
        switch format {
        case VITRAIL_WEIGHTS_FLOAT32: return x.map(Double.init)
        case VITRAIL_WEIGHTS_BFLOAT16: return x.map { Double(ProductCase.rounded($0)) }
        default:
            let terms = terms(of: format)
            return stride(from: 0, to: x.count, by: terms).flatMap { start -> [Double] in
                let block = x[start..<min(start + terms, x.count)]
                // The least power of two that leaves 127 codes on either side of zero.
                let largest = Double(block.map(abs).max() ?? 0)
                var scale = 0x1p-80
                while (largest / scale).rounded() > 127 { scale *= 2 }
                return block.map { (Double($0) / scale).rounded(.toNearestOrEven) * scale }
            }
        }
    }

    func multiply(_ test: ProductCase, _ pool: OpaquePointer?) -> [Float] {
        var y = test.initial
        test.a.withUnsafeBufferPointer { a in
            y.withUnsafeMutableBufferPointer { y in
                func run(_ bias: UnsafePointer<Float>?) {
                    var arguments = vitrail_matvec_args()
                    arguments.m = Int64(test.size.m)
                    arguments.n = Int64(test.size.n)
                    arguments.k = Int64(test.size.k)
                    arguments.x = a.baseAddress
                    arguments.weights = UnsafeRawPointer(memory)
                    arguments.bias = bias
                    arguments.y = y.baseAddress
                    arguments.ldx = Int64(test.lda)
                    arguments.ldw = Int64(test.ldb)
                    arguments.ldy = Int64(test.ldc)
                    arguments.format = format
                    arguments.accumulate = test.accumulate
                    #expect(vitrail_matvec(pool, &arguments))
                }
                if let bias = test.bias { bias.withUnsafeBufferPointer { run($0.baseAddress) } } else { run(nil) }
            }
        }
        return y
    }
}
