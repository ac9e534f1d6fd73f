import Basics
import Synchronization
import Testing

@Suite("Parallel work")
struct ParallelTests {
    struct Failure: Error, Equatable { let item: Int }

    @Test(arguments: [1, 2, 7, 100])
    func resultsKeepTheirOrder(workers: Int) throws {
        for count in [0, 1, 5, 1000] {
            let items = Array(0..<count)
            #expect(try Parallel.map(items, workers: workers) { $0 * $0 } == items.map { $0 * $0 })
        }
    }

    @Test func theFirstFailureIsThrown() {
        for _ in 0..<50 {
            #expect(throws: Failure(item: 13)) {
                try Parallel.map(Array(0..<200), workers: 4) { item in
                    if item >= 13 { throw Failure(item: item) }
                    return item
                }
            }
        }
    }

    @Test func workersAreBounded() throws {
        let state = Mutex((running: 0, most: 0))
        try Parallel.forEach(200, workers: 3) { _ in
            state.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
            }
            var sum = 0
            for value in 0..<20_000 { sum &+= value }
            state.withLock { $0.running -= sum == -1 ? 0 : 1 }
        }
        #expect((1...3).contains(state.withLock { $0.most }))
        #expect(state.withLock { $0.running } == 0)
    }

    @Test func processorsAreCounted() {
        #expect(Parallel.processors >= 1)
    }
}
