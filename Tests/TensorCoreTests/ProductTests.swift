import CKernels
import TestSupport
import Testing

/// Matrix products of every engine and instruction set of this machine, against sums in `Double`.
@Suite struct ProductTests {
    /// Instruction sets that this machine has.
    static let levels: [vitrail_cpu_level] = (0...vitrail_cpu_detected().rawValue).map { vitrail_cpu_level($0) }

    static let shapes: [ProductCase.Size] = [
        .init(1, 1, 1), .init(1, 7, 3), .init(2, 1, 13), .init(5, 31, 17), .init(13, 33, 29), .init(14, 32, 16),
        .init(16, 16, 32), .init(29, 67, 100), .init(37, 97, 131), .init(64, 64, 64), .init(3, 200, 777),
        .init(200, 5, 1601), .init(449, 83, 61), .init(131, 97, 1060), .init(61, 531, 47), .init(1, 300, 64),
        .init(17, 48, 0), .init(77, 600, 64), .init(40, 33, 3104), .init(293, 611, 40),
    ]

    @Test("float32 products agree with Double", arguments: levels)
    func float32(level: vitrail_cpu_level) throws {
        try check(level: level, precision: VITRAIL_FLOAT32, engine: VITRAIL_PRODUCTS_NATIVE)
    }

    @Test("bfloat16 products agree with Double on rounded operands", arguments: levels)
    func bfloat16(level: vitrail_cpu_level) throws {
        try check(level: level, precision: VITRAIL_BFLOAT16, engine: VITRAIL_PRODUCTS_NATIVE)
    }

    @Test("OpenBLAS products agree with Double", arguments: [VITRAIL_FLOAT32, VITRAIL_BFLOAT16])
    func openBLAS(precision: vitrail_element) throws {
        #expect(vitrail_openblas_is_here(), "own kernels would be tested in its place")
        try check(level: vitrail_cpu_detected(), precision: precision, engine: VITRAIL_PRODUCTS_OPENBLAS)
    }

    /// Every shape, transposition, accumulation and storage at one instruction set, on one thread and on three.
    private func check(level: vitrail_cpu_level, precision: vitrail_element, engine: vitrail_products_engine) throws {
        // The first back end applies VITRAIL_CPU to the whole process. A test beside this one must not do it between two products
        // that are compared: other kernels round otherwise.
        _ = TestBackend.cpuOneThread.make()
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        let pool = try #require(vitrail_pool_create(3, false))
        defer { vitrail_pool_destroy(pool) }
        for (index, size) in Self.shapes.enumerated() {
            for variant in 0..<8 {
                var test = ProductCase(
                    size, transposeA: variant & 1 != 0, transposeB: variant & 2 != 0,
                    accumulate: variant & 4 != 0, bias: (variant + index) % 3 == 0,
                    alpha: variant % 2 == 0 ? 1 : -0.75, seed: UInt64(index * 64 + variant))
                test.precision = precision
                test.engine = engine
                // Four kinds of storage in turn, so that each meets each transposition over the shapes.
                test.aType = vitrail_element(UInt32((index + variant) & 1))
                test.bType = vitrail_element(UInt32((index + variant / 2) >> 1 & 1))
                let result = test.run(pool)
                let worst = test.worstExcess(result, test.reference())
                #expect(worst <= 1, "\(test.name) at level \(level.rawValue): \(worst) times the bound")
                let repeats = test.run(pool) == result
                #expect(repeats, "\(test.name): a second run differs")
                if engine == VITRAIL_PRODUCTS_NATIVE {
                    let moved = test.run(pool, offset: 1) == result
                    #expect(moved, "\(test.name): rows of A off their alignment give other bits")
                    let same = test.run(nil) == result
                    #expect(same, "\(test.name): one thread differs from three")
                }
            }
        }
    }

    /// Terms that share a scale keep what is left below the greatest: half a unit of 22 bits each of both factors, and the
    /// products of slices that are left out, twice 2^-22 of the greatest product.
    @Test("terms beside far greater ones are kept to the greatest one's precision", arguments: levels)
    func greatTerms(level: vitrail_cpu_level) throws {
        _ = TestBackend.cpuOneThread.make()
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        for variant in 0..<4 {
            var test = ProductCase(
                .init(128, 96, 700), transposeA: variant & 1 != 0, transposeB: variant & 2 != 0, accumulate: false,
                bias: false, alpha: 1, seed: UInt64(variant))
            for i in test.a.indices { test.a[i] *= Float(1 << (i * 7 % 13)) }
            for i in test.b.indices { test.b[i] /= Float(1 << (i * 5 % 9)) }
            let greatest = Double(test.a.map(abs).max() ?? 0) * Double(test.b.map(abs).max() ?? 0)
            let result = test.run(nil)
            var squares = 0.0, worst = 0.0
            for (index, expected) in test.reference().enumerated() {
                let (i, j) = (index / test.size.n, index % test.size.n)
                let error = abs(Double(result[i * test.ldc + j]) - expected.value)
                worst = max(worst, error)
                squares += error * error
            }
            #expect(worst <= 700 * 0x1p-21 * greatest)
            // Errors are of either sign: their sum grows as the root of their number.
            #expect((squares / Double(128 * 96)).squareRoot() <= Double(700).squareRoot() * 0x1p-22 * greatest)
        }
    }

    /// Factors in slices must lose neither what is not finite, nor a large or a small number.
    @Test("infinity and NaN stay in their rows, extremes are kept", arguments: levels)
    func specialValues(level: vitrail_cpu_level) throws {
        _ = TestBackend.cpuOneThread.make()
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        var test = ProductCase(
            .init(128, 96, 64), transposeA: false, transposeB: true, accumulate: false, bias: false, alpha: 1, seed: 1)
        test.a = test.a.map { _ in 1 }
        test.b = test.b.map { _ in 0.5 }
        test.a[3 * test.lda + 5] = .infinity
        test.a[70 * test.lda + 6] = .nan
        for p in 0..<64 {
            test.a[9 * test.lda + p] = 1e36
            test.a[11 * test.lda + p] = 1e-30
        }
        let result = test.run(nil)
        for j in 0..<96 {
            #expect(!result[3 * test.ldc + j].isFinite && result[70 * test.ldc + j].isNaN)
            #expect(
                abs(result[9 * test.ldc + j] / 3.2e37 - 1) < 1e-6 && abs(result[11 * test.ldc + j] / 3.2e-29 - 1) < 1e-6
            )
            #expect(result[4 * test.ldc + j] == 32 && result[127 * test.ldc + j] == 32)
        }
    }

    @Test("products are measured")
    func measurement() {
        var arguments = vitrail_product_args()
        (arguments.m, arguments.n, arguments.k) = (33, 65, 40)
        for precision in [VITRAIL_FLOAT32, VITRAIL_BFLOAT16] {
            arguments.precision = precision
            #expect(vitrail_product_gflops(nil, &arguments, 0) > 0)
        }
    }

    @Test("output that is not accumulated never reads C")
    func undefinedOutput() throws {
        for level in Self.levels {
            let before = vitrail_cpu_limit_thread(level)
            defer { _ = vitrail_cpu_limit_thread(before) }
            for precision in [VITRAIL_FLOAT32, VITRAIL_BFLOAT16] {
                var test = ProductCase(.init(19, 45, 801), transposeA: false, transposeB: true, seed: 5)
                test.precision = precision
                test.initial = test.initial.map { _ in .nan }
                var engines = [VITRAIL_PRODUCTS_NATIVE]
                if level == vitrail_cpu_detected() { engines.append(VITRAIL_PRODUCTS_OPENBLAS) }
                for engine in engines {
                    test.engine = engine
                    let result = test.run(nil)
                    let written = (0..<19).allSatisfy { i in (0..<45).allSatisfy { !result[i * test.ldc + $0].isNaN } }
                    #expect(written, "\(test.name)")
                }
            }
        }
    }
}

/// One product with its operands, and how far a result may lie from exact sums.
struct ProductCase {
    /// Rows, columns and terms of a product.
    struct Size: Sendable {
        let m: Int
        let n: Int
        let k: Int

        init(_ m: Int, _ n: Int, _ k: Int) {
            self.m = m
            self.n = n
            self.k = k
        }
    }

    /// Fewer rows than the operands were made for are allowed.
    var size: Size
    let transposeA: Bool
    let transposeB: Bool
    let accumulate: Bool
    let alpha: Float
    let lda: Int
    let ldb: Int
    let ldc: Int
    var a: [Float]
    var b: [Float]
    let bias: [Float]?
    var initial: [Float]
    var precision = VITRAIL_FLOAT32
    var aType = VITRAIL_FLOAT32
    var bType = VITRAIL_FLOAT32
    var engine = VITRAIL_PRODUCTS_AUTOMATIC

    init(
        _ size: Size, transposeA: Bool, transposeB: Bool, accumulate: Bool = false, bias: Bool = false,
        alpha: Float = 1, seed: UInt64
    ) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func values(_ count: Int) -> [Float] {
            (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
            }
        }
        self.size = size
        self.transposeA = transposeA
        self.transposeB = transposeB
        self.accumulate = accumulate
        self.alpha = alpha
        // Rows lie further apart than they are long: gaps must be neither read as data nor written.
        // Whole blocks of 32 terms stay aligned, as kernels that read rows where they lie need them.
        lda = transposeA ? size.m + 3 : size.k + (size.k % 32 == 0 ? 32 : 3)
        ldb = (transposeB ? size.k : size.n) + 5
        ldc = size.n + 2
        a = values((transposeA ? size.k : size.m) * lda)
        b = values((transposeB ? size.n : size.k) * ldb)
        self.bias = bias ? values(size.n) : nil
        initial = values(size.m * ldc)
    }

    var name: String {
        "\(size.m)x\(size.n)x\(size.k) transposes \(transposeA) \(transposeB) accumulate \(accumulate) "
            + "bias \(bias != nil) types \(aType.rawValue) \(bType.rawValue) precision \(precision.rawValue)"
    }

    static func bfloat16(_ value: Float) -> UInt16 {
        UInt16(truncatingIfNeeded: (value.bitPattern &+ 0x7FFF &+ ((value.bitPattern >> 16) & 1)) >> 16)
    }

    static func rounded(_ value: Float) -> Float { Float(bitPattern: UInt32(bfloat16(value)) << 16) }

    /// The product on a pool's threads. `offset` elements move A off its alignment; `weights` are read for B where they lie.
    func run(_ pool: OpaquePointer?, offset: Int = 0, weights: UnsafePointer<Float>? = nil) -> [Float] {
        var c = initial
        let halfB = b.map(Self.bfloat16)
        let storage = UnsafeMutableRawPointer.allocate(byteCount: 2 * (a.count + offset), alignment: 64)
        defer { storage.deallocate() }
        let halfA = storage + 2 * offset
        for (index, value) in a.enumerated() {
            halfA.storeBytes(of: Self.bfloat16(value), toByteOffset: 2 * index, as: UInt16.self)
        }
        a.withUnsafeBytes { a in
            b.withUnsafeBytes { b in
                halfB.withUnsafeBytes { halfB in
                    c.withUnsafeMutableBufferPointer { c in
                        withOptional(bias) { bias in
                            var arguments = vitrail_product_args()
                            arguments.m = Int64(size.m)
                            arguments.n = Int64(size.n)
                            arguments.k = Int64(size.k)
                            arguments.a = aType == VITRAIL_BFLOAT16 ? UnsafeRawPointer(halfA) : a.baseAddress
                            arguments.b = bType == VITRAIL_BFLOAT16 ? halfB.baseAddress : b.baseAddress
                            if let weights { arguments.b = UnsafeRawPointer(weights) }
                            arguments.c = c.baseAddress
                            arguments.lda = Int64(lda)
                            arguments.ldb = Int64(ldb)
                            arguments.ldc = Int64(ldc)
                            arguments.bias = bias
                            arguments.alpha = alpha
                            arguments.transpose_a = transposeA
                            arguments.transpose_b = transposeB
                            arguments.accumulate = accumulate
                            arguments.a_type = aType
                            arguments.b_type = bType
                            arguments.precision = precision
                            arguments.engine = engine
                            #expect(vitrail_product(pool, &arguments))
                        }
                    }
                }
            }
        }
        return c
    }

    private func withOptional(_ values: [Float]?, _ body: (UnsafePointer<Float>?) -> Void) {
        if let values { values.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
    }

    /// The exact sums, and beside each the sum of magnitudes that its rounding errors scale with.
    func reference() -> [(value: Double, magnitude: Double)] {
        let roundA = aType == VITRAIL_BFLOAT16 || precision == VITRAIL_BFLOAT16
        let roundB = bType == VITRAIL_BFLOAT16 || precision == VITRAIL_BFLOAT16
        let a = self.a.map { Double(roundA ? Self.rounded($0) : $0) }
        let b = self.b.map { Double(roundB ? Self.rounded($0) : $0) }
        var result: [(Double, Double)] = []
        result.reserveCapacity(size.m * size.n)
        for i in 0..<size.m {
            for j in 0..<size.n {
                var sum = 0.0, magnitude = 0.0
                for p in 0..<size.k {
                    let x = a[transposeA ? p * lda + i : i * lda + p] * b[transposeB ? j * ldb + p : p * ldb + j]
                    sum += x
                    magnitude += abs(x)
                }
                sum *= Double(alpha)
                magnitude *= Double(abs(alpha))
                for extra in [accumulate ? initial[i * ldc + j] : 0, bias?[j] ?? 0] {
                    sum += Double(extra)
                    magnitude += Double(abs(extra))
                }
                result.append((sum, magnitude))
            }
        }
        return result
    }

    /// The largest error as a multiple of its bound, (k + 4) units in the last place of the sum of magnitudes;
    /// infinite when a gap between rows was written.
    func worstExcess(_ result: [Float], _ expected: [(value: Double, magnitude: Double)]) -> Double {
        var worst = 0.0
        for i in 0..<size.m {
            for j in 0..<size.n {
                let (value, magnitude) = expected[i * size.n + j]
                let error = abs(Double(result[i * ldc + j]) - value)
                let bound = Double(size.k + 4) * 0x1p-24 * magnitude + 1e-37
                worst = error.isNaN ? .infinity : max(worst, error / bound)
            }
            for j in size.n..<ldc where result[i * ldc + j] != initial[i * ldc + j] { worst = .infinity }
        }
        return worst
    }
}
