import Basics
import Synchronization
import Testing

@Suite("Work that makes more work")
struct WorkQueueTests {
    /// Every piece is done once, also those that are added by others.
    @Test(arguments: [1, 2, 7])
    func everythingIsDone(workers: Int) throws {
        let queue = WorkQueue()
        let done = Mutex([Int: Int]())
        @Sendable func add(_ value: Int) {
            queue.add(rank: value % 3) {
                done.withLock { $0[value, default: 0] += 1 }
                if 2 * value < 1000 { add(2 * value) }
                if 2 * value + 1 < 1000 { add(2 * value + 1) }
            }
        }
        add(1)
        try queue.run(workers: workers)
        #expect(done.withLock { $0 } == Dictionary(uniqueKeysWithValues: (1..<1000).map { ($0, 1) }))
        try queue.run(workers: workers)
        #expect(done.withLock { $0.count } == 999, "an empty queue is done at once")
    }

    @Test func theMostUrgentComesFirst() throws {
        let queue = WorkQueue()
        let order = Mutex([Int]())
        for (number, rank) in [2, 1, 2, 0, 1].enumerated() {
            queue.add(rank: rank) {
                order.withLock { $0.append(number) }
                if number == 1 { queue.add(rank: 0) { order.withLock { $0.append(10) } } }
            }
        }
        try queue.run(workers: 1)
        #expect(order.withLock { $0 } == [3, 1, 10, 4, 0, 2])
    }
}
