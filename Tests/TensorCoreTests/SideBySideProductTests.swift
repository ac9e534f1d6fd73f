import CKernels
import TestSupport
import Testing

/// Products of threads that compute side by side, of which some have nothing left and help.
@Suite struct SideBySideProductTests {
    private struct Sides {
        let pool: OpaquePointer
        let tests: [ProductCase]
        var results: [[Float]]
        var mostHands: Int32
    }

    /// How many help when a product is cut is a matter of chance; its bits are those of one thread, forward and back.
    @Test("helpers change no bits", arguments: ProductTests.levels)
    func helpers(level: vitrail_cpu_level) throws {
        _ = TestBackend.cpuOneThread.make()
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        let pool = try #require(vitrail_pool_create(3, false))
        defer { vitrail_pool_destroy(pool) }
        let sizes: [ProductCase.Size] = [
            .init(293, 611, 40), .init(192, 576, 1060), .init(700, 192, 64), .init(61, 131, 47),
        ]
        let tests = sizes.enumerated().flatMap { index, size in
            (0..<6).map { variant in
                var test = ProductCase(
                    size, transposeA: variant % 3 == 2, transposeB: variant % 3 == 0, accumulate: index == 1,
                    seed: UInt64(8 * index + variant))
                test.precision = variant < 3 ? VITRAIL_FLOAT32 : VITRAIL_BFLOAT16
                test.engine = VITRAIL_PRODUCTS_NATIVE
                if variant >= 3 { (test.aType, test.bType) = (VITRAIL_BFLOAT16, VITRAIL_BFLOAT16) }
                return test
            }
        }
        let alone = tests.map { $0.run(nil) }
        // The second and the third part are done at once, and the first goes on until others have come to help.
        var sides = Sides(pool: pool, tests: tests, results: [], mostHands: 0)
        withUnsafeMutablePointer(to: &sides) { sides in
            vitrail_pool_run_side_by_side(
                pool,
                { context, part, _ in
                    let sides = context!.assumingMemoryBound(to: Sides.self)
                    guard part == 0 else { return }
                    // On one busy core the others may take their time.
                    for turn in 0..<20_000 {
                        sides.pointee.results = sides.pointee.tests.map { test in
                            sides.pointee.mostHands = max(
                                sides.pointee.mostHands, vitrail_pool_crew(sides.pointee.pool))
                            return test.run(sides.pointee.pool)
                        }
                        if sides.pointee.mostHands == 3 || (turn >= 200 && sides.pointee.mostHands > 1) { break }
                    }
                }, sides, 3)
        }
        #expect(sides.mostHands > 1)
        for (index, result) in sides.results.enumerated() {
            let isSame = result == alone[index]
            #expect(isSame, "\(tests[index].name)")
        }
    }
}
