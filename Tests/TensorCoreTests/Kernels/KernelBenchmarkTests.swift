import CPUBackend
import Testing

/// The kernels' benchmark runs and reports figures that can be.
@Suite struct KernelBenchmarkTests {
    @Test func everyKernelHasATime() {
        let results = KernelBenchmark.run(on: CPUBackend(threads: 2), repetitions: 1)
        #expect(results.count > 25)
        #expect(results.allSatisfy { $0.seconds > 0 && $0.seconds < 60 && $0.bytes > 0 })
        #expect(Set(results.map(\.name)).count == results.count)
    }
}
