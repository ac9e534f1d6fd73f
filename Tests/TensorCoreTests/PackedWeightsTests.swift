import CKernels
import TestSupport
import Testing

/// Products that share what they pack of weights.
@Suite struct PackedWeightsTests {
    /// Shapes with few and many rows, off the tiles' sizes, forward and back through the weight, in both precisions.
    private static let cases: [ProductCase] = [
        ProductCase.Size(5, 70, 33), .init(300, 45, 801), .init(449, 97, 1060), .init(700, 192, 64),
    ].enumerated().flatMap { index, size in
        (0..<4).map { variant in
            var test = ProductCase(
                size, transposeA: false, transposeB: variant & 1 != 0, accumulate: index == 1, bias: index == 2,
                seed: UInt64(4 * index + variant))
            test.precision = variant & 2 == 0 ? VITRAIL_FLOAT32 : VITRAIL_BFLOAT16
            test.engine = VITRAIL_PRODUCTS_NATIVE
            return test
        }
    }

    /// A pool of so many threads with the kernels of a level, and nothing packed.
    private func made(_ level: vitrail_cpu_level, threads: Int32) throws -> (pool: OpaquePointer, packed: OpaquePointer)
    {
        _ = TestBackend.cpuOneThread.make()
        let (pool, packed) = try (
            #require(vitrail_pool_create(threads, false)), #require(vitrail_packed_weights_create())
        )
        _ = vitrail_cpu_limit_thread(level)
        return (pool, packed)
    }

    private func unmake(_ pool: OpaquePointer, _ packed: OpaquePointer) {
        vitrail_packed_weights_use(nil)
        vitrail_packed_weights_destroy(packed)
        vitrail_pool_destroy(pool)
        _ = vitrail_cpu_limit_thread(VITRAIL_CPU_AMX)
    }

    /// A product with its weights at one place in memory, by which they are known.
    private final class Placed: Sendable {
        private let test: ProductCase
        nonisolated(unsafe) let weights: UnsafeMutableBufferPointer<Float>

        init(_ test: ProductCase) {
            self.test = test
            weights = .allocate(capacity: test.b.count)
            _ = weights.initialize(from: test.b)
        }

        deinit { weights.deallocate() }

        var name: String { test.name }
        var span: vitrail_span { vitrail_span(data: weights.baseAddress, count: weights.count) }

        func run(_ pool: OpaquePointer?) -> [Float] { test.run(pool, weights: UnsafePointer(weights.baseAddress)) }
    }

    /// Says that nobody changes this product's weights from here on.
    private func begin(_ packed: OpaquePointer, _ test: Placed) -> Bool {
        vitrail_packed_weights_begin(packed, [test.span], 1)
    }

    @Test("weights are packed once between begin and end, and the bits are the same", arguments: ProductTests.levels)
    func once(level: vitrail_cpu_level) throws {
        let (pool, packed) = try made(level, threads: 3)
        defer { unmake(pool, packed) }
        for test in Self.cases.map(Placed.init) {
            let plain = test.run(pool)
            #expect(begin(packed, test))
            #expect(!begin(packed, test), "it has begun")
            vitrail_packed_weights_use(packed)
            let (first, second) = (test.run(pool), test.run(nil))
            #expect(first == plain && second == plain, "\(test.name)")
            // Nobody may do this; the old result says that nothing was packed again.
            for index in test.weights.indices { test.weights[index] += 1 }
            #expect(test.run(pool) == plain, "\(test.name)")
            vitrail_packed_weights_end(packed)
            vitrail_packed_weights_use(nil)
            let changed = test.run(pool)
            #expect(changed != plain)
            #expect(begin(packed, test))
            vitrail_packed_weights_use(packed)
            #expect(test.run(pool) == changed, "\(test.name)")
            vitrail_packed_weights_end(packed)
            vitrail_packed_weights_use(nil)
            vitrail_packed_weights_release(packed)
        }
    }

    /// What calls side by side multiply, and their results.
    private struct Sides {
        let pool: OpaquePointer
        let packed: OpaquePointer
        let tests: [Placed]
        var results: UnsafeMutablePointer<[[Float]]>
    }

    @Test("threads that need the same weights at the same time pack them together", arguments: ProductTests.levels)
    func together(level: vitrail_cpu_level) throws {
        let (pool, packed) = try made(level, threads: 4)
        defer { unmake(pool, packed) }
        let tests = Self.cases.map(Placed.init)
        let plain = tests.map { $0.run(pool) }
        let spans = tests.map(\.span)
        var results = [[[Float]]](repeating: [], count: 4)
        for _ in 0..<5 {
            #expect(vitrail_packed_weights_begin(packed, spans, spans.count))
            results.withUnsafeMutableBufferPointer { buffer in
                var sides = Sides(pool: pool, packed: packed, tests: tests, results: buffer.baseAddress!)
                withUnsafeMutablePointer(to: &sides) { sides in
                    vitrail_pool_run_side_by_side(
                        pool,
                        { context, part, _ in
                            let sides = context!.assumingMemoryBound(to: Sides.self).pointee
                            vitrail_packed_weights_use(sides.packed)
                            sides.results[Int(part)] = sides.tests.map { $0.run(sides.pool) }
                            vitrail_packed_weights_use(nil)
                        }, sides, 4)
                }
            }
            vitrail_packed_weights_end(packed)
            for result in results { #expect(result == plain) }
        }
    }
}
