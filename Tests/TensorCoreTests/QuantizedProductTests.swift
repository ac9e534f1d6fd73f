import CKernels
import CPUBackend
import Testing

/// Products of any number of rows with quantised weights, on the instruction sets that take them in integers, against
/// `vitrail_matvec`, whose kernels are others and are held against sums in `Double`.
@Suite struct QuantizedProductTests {
    static let levels = {
        // Reads VITRAIL_CPU, which may forbid some of them.
        _ = CPUBackend(threads: 1)
        return ProductTests.levels.filter { level in
            let before = vitrail_cpu_limit_thread(level)
            defer { _ = vitrail_cpu_limit_thread(before) }
            return vitrail_products_in_integers()
        }
    }()
    static let formats = MatvecTests.blocks
    static let sizes: [ProductCase.Size] = [
        .init(1, 1, 32), .init(2, 16, 64), .init(3, 37, 65), .init(5, 33, 31), .init(9, 31, 100), .init(16, 35, 257),
        .init(17, 20, 64), .init(31, 48, 96), .init(63, 130, 576), .init(200, 17, 1_056), .init(701, 65, 992),
    ]

    @Test("a row has the bits that few rows have", arguments: formats, levels)
    func anyNumberOfRows(format: vitrail_weight_format, level: vitrail_cpu_level) throws {
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        let pool = try #require(vitrail_pool_create(3, false))
        defer { vitrail_pool_destroy(pool) }
        for (index, size) in Self.sizes.enumerated() {
            var test = ProductCase(
                size, transposeA: false, transposeB: true, accumulate: index % 2 == 1, bias: index % 3 != 0,
                seed: UInt64(900 + index))
            // Rows that lie in bfloat16 hold the same numbers.
            test.a = test.a.map(ProductCase.rounded)
            let weights = StoredWeights(test, format: format)
            let expected = weights.multiply(test, pool)
            for type in [VITRAIL_FLOAT32, VITRAIL_BFLOAT16] {
                for threads in [pool, nil] {
                    let isSame = weights.multiplyInIntegers(test, type, threads) == expected
                    #expect(isSame, "\(test.name) format \(format.rawValue) x \(type.rawValue)")
                }
            }
        }
    }

    @Test("what is not a number spoils its own row", arguments: formats, levels)
    func infinity(format: vitrail_weight_format, level: vitrail_cpu_level) {
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        var test = ProductCase(.init(19, 40, 64), transposeA: false, transposeB: true, seed: 5)
        let weights = StoredWeights(test, format: format)
        let sound = weights.multiplyInIntegers(test, VITRAIL_FLOAT32, nil)
        for (row, value) in [(3, Float.nan), (11, .infinity)] { test.a[row * test.lda + 40] = value }
        let result = weights.multiplyInIntegers(test, VITRAIL_FLOAT32, nil)
        for row in 0..<19 {
            let part = row * test.ldc..<row * test.ldc + 40
            if row == 3 || row == 11 {
                #expect(result[part].allSatisfy { !$0.isFinite })
            } else {
                #expect(result[part] == sound[part])
            }
        }
    }
}

extension StoredWeights {
    /// `multiply` by `vitrail_product`, with x stored in `type`.
    func multiplyInIntegers(_ test: ProductCase, _ type: vitrail_element, _ pool: OpaquePointer?) -> [Float] {
        var y = test.initial
        let narrow = test.a.map(ProductCase.bfloat16)
        test.a.withUnsafeBytes { wide in
            narrow.withUnsafeBytes { narrow in
                y.withUnsafeMutableBufferPointer { y in
                    func run(_ bias: UnsafePointer<Float>?) {
                        var arguments = vitrail_product_args()
                        arguments.m = Int64(test.size.m)
                        arguments.n = Int64(test.size.n)
                        arguments.k = Int64(test.size.k)
                        arguments.a = (type == VITRAIL_BFLOAT16 ? narrow : wide).baseAddress
                        arguments.a_type = type
                        arguments.b = UnsafeRawPointer(memory)
                        arguments.b_type = vitrail_element(
                            VITRAIL_INT4_GROUPS.rawValue + format.rawValue - VITRAIL_WEIGHTS_INT4.rawValue)
                        arguments.bias = bias
                        arguments.c = y.baseAddress
                        arguments.lda = Int64(test.lda)
                        arguments.ldc = Int64(test.ldc)
                        arguments.alpha = 1
                        arguments.transpose_b = true
                        arguments.accumulate = test.accumulate
                        #expect(vitrail_product(pool, &arguments))
                    }
                    if let bias = test.bias { bias.withUnsafeBufferPointer { run($0.baseAddress) } } else { run(nil) }
                }
            }
        }
        return y
    }
}
