import Basics
import CPUBackend
import TensorCore
import TestSupport
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
        #expect(backend.idleBytes < 48_000)
    }

    /// What was freed in one size is there for any other: a step's gradients lie where its activations lay.
    @Test func freedNeighboursBecomeOneBlock() {
        let backend = CPUBackend(threads: 1)
        let kept = backend.empty([300_000])
        do {
            let parts = (0..<7).map { _ in backend.empty([100_003]) }
            withExtendedLifetime(parts) {}
        }
        let peak = backend.peakBytes
        let idle = backend.idleBytes
        let whole = backend.empty([700_000])
        #expect(backend.idleBytes <= idle - 2_800_000)
        #expect(backend.peakBytes == peak)
        withExtendedLifetime((kept, whole)) {}
    }

    /// What was promised counts from the moment when somebody wants it, once for all who want it at the same time.
    @Test func promisedMemoryIsTakenWhenItIsLookedAt() {
        let backend = CPUBackend(threads: 4)
        do {
            let promised = Storage(promised: 1 << 20, on: backend)
            #expect(backend.peakBytes == 0)
            nonisolated(unsafe) let storage = promised
            nonisolated(unsafe) var addresses = [UnsafeMutableRawPointer?](repeating: nil, count: 16)
            addresses.withUnsafeMutableBufferPointer { all in
                nonisolated(unsafe) let all = all
                backend.sideBySide(16, reading: []) { all[$0] = storage.pointer }
            }
            #expect(addresses.allSatisfy { $0 == promised.pointer })
            #expect(backend.usedBytes == 1 << 20 && backend.peakBytes == 1 << 20)
        }
        #expect(backend.usedBytes == 0)
    }

    /// Blocks of every size in every order of freeing: none overlaps another, and all of it comes back as one.
    @Test func blocksNeverOverlap() {
        let backend = CPUBackend(threads: 1)
        var numbers = NumberStream(seed: 5)
        var held: [(storage: Storage, mark: UInt8)] = []
        func check(_ entry: (storage: Storage, mark: UInt8)) {
            let bytes = UnsafeRawBufferPointer(start: entry.storage.pointer, count: entry.storage.byteCount)
            #expect(bytes.first == entry.mark && bytes.last == entry.mark)
        }
        for turn in 0..<400 {
            let choice = numbers.values(2, scale: 1)
            if held.count > 12 || (choice[0] > 0.2 && !held.isEmpty) {
                let index = Int(abs(choice[1]) * 997) % held.count
                check(held[index])
                held.remove(at: index)
                continue
            }
            let byteCount = 200_000 + Int(abs(choice[1]) * 3_000_000)
            let mark = UInt8(turn % 251)
            let storage = backend.allocate(byteCount: byteCount)
            storage.pointer.initializeMemory(as: UInt8.self, repeating: mark, count: byteCount)
            held.append((storage, mark))
        }
        held.forEach(check)
        held = []
        #expect(backend.usedBytes == 0)
        backend.releaseIdleMemory()
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

    /// Blocks with a hole of the same size in front of each.
    private func everyOther(of count: Int, byteCount: Int, on backend: CPUBackend) -> [Storage] {
        let blocks = (0..<count).map { _ in backend.allocate(byteCount: byteCount) }
        return stride(from: 1, to: count, by: 2).map { blocks[$0] }
    }

    /// Holes that are too small one by one give their pages to a block that fits none of them.
    @Test func scatteredHolesMakeRoom() {
        let backend = CPUBackend(threads: 1)
        let blocks = everyOther(of: 64, byteCount: 1 << 20, on: backend)
        let peak = backend.peakBytes
        let large = backend.allocate(byteCount: 32 << 20)
        #expect(backend.peakBytes == peak)
        #expect(backend.usedBytes + backend.idleBytes <= peak + peak / 32 + 16 << 20)
        // What went back is taken again, and written.
        let again = (0..<32).map { _ in backend.allocate(byteCount: 1 << 20) }
        for storage in again { storage.pointer.initializeMemory(as: UInt8.self, repeating: 0x5A, count: 1 << 20) }
        withExtendedLifetime((blocks, large, again)) {}
    }

    /// Huge pages go back whole: holes keep their parts of the first and the last one.
    @Test func hugePagesGoBackWhole() {
        let backend = CPUBackend(threads: 1)
        let blocks = everyOther(of: 16, byteCount: 33 << 20, on: backend)
        let peak = backend.peakBytes
        let large = backend.allocate(byteCount: 200 << 20)
        #expect(backend.usedBytes + backend.idleBytes <= peak + 16 << 20)
        // 184 MB have to go: 32 MB of each of six holes, whose 33rd stays.
        #expect(backend.idleBytes == (8 * 33 - 6 * 32) << 20)
        withExtendedLifetime((blocks, large)) {}
    }

    /// Pages that go back interrupt every thread: while others compute side by side, holes keep theirs up to a quarter of the peak.
    @Test func holesKeepTheirPagesBesideOtherThreads() throws {
        let place = Monitor((hasCome: false, mayGo: false))
        let other = try #require(
            WorkerThread {
                CPUBackend.onThisThread {
                    place.update { $0.hasCome = true }
                    place.wait(until: \.mayGo) { _ in }
                }
            })
        place.wait(until: \.hasCome) { _ in }
        let backend = CPUBackend(threads: 2)
        CPUBackend.onThisThread {
            let blocks = everyOther(of: 64, byteCount: 16 << 20, on: backend)
            let peak = backend.peakBytes
            let large = backend.allocate(byteCount: 512 << 20)
            #expect(backend.peakBytes == peak)
            // Holes of 16 MiB go one by one.
            #expect(backend.usedBytes + backend.idleBytes == peak + peak / 4 + 64 << 20)
            withExtendedLifetime((blocks, large)) {}
        }
        place.update { $0.mayGo = true }
        other.join()
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
