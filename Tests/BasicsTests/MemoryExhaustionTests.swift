import Basics
import Testing

@Suite("Memory exhaustion")
struct MemoryExhaustionTests {
    @Test func saysWhatWasAskedForAndWhatIsInUse() {
        let problem = MemoryExhaustion("a tensor", byteCount: 3 << 30, usedBytes: 1_610_612_736)
        #expect(problem.problem == "out of memory: 3.00 GiB for a tensor, with 1.50 GiB in use")
        #expect(problem.fix?.contains("batch_size") == true)
    }

    @Test func saysWhatTheUserAllowed() {
        let problem = MemoryExhaustion("a tensor", byteCount: 1 << 30, usedBytes: 1 << 30, limit: 3 << 29)
        #expect(
            problem.problem
                == "out of memory: 1.00 GiB for a tensor, with 1.00 GiB in use of the 1.50 GiB that --memory-limit allows"
        )
    }

    @Test(arguments: [
        (0, "0.00"), (1, "0.0001"), (1_073_742, "0.0011"), (96_636_764, "0.0900"), (1 << 27, "0.13"), (1 << 30, "1.00"),
        (1_127_428_916, "1.06"), (10 << 30, "10.00"),
    ])
    func roundsUp(bytes: Int, text: String) {
        #expect(MemoryExhaustion.gibibytes(bytes) == text + " GiB")
    }
}
