import CKernels
import TestSupport
import Testing

/// Rates of multiplications in registers are measured where the instruction set has them, and nowhere else.
@Suite("Register rates") struct RegisterRateTests {
    @Test("each number is multiplied from its instruction set on", arguments: ProductTests.levels)
    func rates(level: vitrail_cpu_level) throws {
        // The first back end applies VITRAIL_CPU to the whole process.
        _ = TestBackend.cpuOneThread.make()
        let before = vitrail_cpu_limit_thread(level)
        defer { _ = vitrail_cpu_limit_thread(before) }
        let pool = try #require(vitrail_pool_create(2, false))
        defer { vitrail_pool_destroy(pool) }
        let first: [(vitrail_register_number, vitrail_cpu_level)] = [
            (VITRAIL_REGISTERS_FLOAT32, VITRAIL_CPU_AVX2), (VITRAIL_REGISTERS_BFLOAT16, VITRAIL_CPU_AVX512_BF16),
            (VITRAIL_REGISTERS_BYTES, VITRAIL_CPU_AVX512_VNNI),
        ]
        for (number, least) in first {
            let rate = vitrail_register_rate(pool, number, 0)
            // The environment may allow this process less. The slowest is an emulation of tiles beside other tests.
            let has = vitrail_cpu().rawValue >= least.rawValue
            #expect(has ? rate > 1e6 : rate == 0, "\(number): \(rate)")
        }
    }
}
