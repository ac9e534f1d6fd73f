import CPUBackend
import TensorCore
import Testing

/// The CPU back end's memory: blocks come back, and are counted.
@Suite struct CPUMemoryTests {
    @Test func freedBlocksAreHandedOutAgain() {
        let backend = CPUBackend(threads: 1)
        var address: UnsafeMutableRawPointer?
        do {
            let first = backend.empty([1000, 1000])
            address = first.pointer
        }
        let second = backend.empty([990, 1000])
        #expect(second.pointer == address)
        #expect(backend.idleBytes == 0)
    }

    @Test(arguments: [1, 63, 64, 65, 513, 4096, 4097, 1 << 20, (1 << 21) - 1, 1 << 21, (1 << 21) + 1, 12_345_678])
    func blocksHoldWhatIsAsked(_ byteCount: Int) {
        let backend = CPUBackend(threads: 1)
        let storage = backend.allocate(byteCount: byteCount)
        #expect(UInt(bitPattern: storage.pointer) % 64 == 0)
        storage.pointer.initializeMemory(as: UInt8.self, repeating: 0xA5, count: byteCount)
        #expect(backend.usedBytes >= byteCount)
        #expect(backend.usedBytes <= max(512, byteCount + byteCount / 8 + 64))
    }

    @Test func countsUseAndPeak() {
        let backend = CPUBackend(threads: 1)
        let kept = backend.empty([1 << 18])
        let used = backend.usedBytes
        do { _ = backend.empty([1 << 20]).pointer }
        #expect(backend.usedBytes == used)
        #expect(backend.peakBytes >= used + 4 << 20)
        #expect(backend.idleBytes >= 4 << 20)
        backend.resetPeakBytes()
        #expect(backend.peakBytes == used)
        backend.releaseIdleMemory()
        #expect(backend.idleBytes == 0)
        withExtendedLifetime(kept) {}
    }

    /// Batches of ever other sizes must not pile up blocks that nothing asks for again.
    @Test func idleMemoryStaysNearThePeak() {
        let backend = CPUBackend(threads: 1)
        for size in stride(from: 1 << 20, to: 64 << 20, by: 5 << 20) {
            _ = backend.allocate(byteCount: size).pointer
        }
        #expect(backend.idleBytes <= backend.peakBytes + backend.peakBytes / 4 + 64 << 20)
    }
}
