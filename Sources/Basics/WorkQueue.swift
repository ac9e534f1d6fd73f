/// Work that makes more work, done by several threads: the most urgent first, and among equals what came first.
public final class WorkQueue: Sendable {
    private struct Item {
        let rank: Int
        let body: @Sendable () -> Void
    }

    private struct State {
        /// The most urgent first.
        var waiting: [Item] = []
        var running = 0
    }

    private let state = Monitor(State())

    /// An empty queue.
    public init() {}

    /// Adds work.
    ///
    /// - Parameter rank: less for what is more urgent.
    public func add(rank: Int, _ body: @escaping @Sendable () -> Void) {
        state.update { state in
            let place = state.waiting.lastIndex { $0.rank <= rank }.map { $0 + 1 } ?? 0
            state.waiting.insert(Item(rank: rank, body: body), at: place)
        }
    }

    /// Works on up to `workers` threads, the calling one included, until all is done that was added, also meanwhile.
    public func run(workers: Int = Parallel.processors) throws {
        try Parallel.run(workers: workers) {
            while let body = self.next() {
                body()
                self.state.update { $0.running -= 1 }
            }
        }
    }

    /// The most urgent work; nil when there is none and nobody can add any.
    private func next() -> (@Sendable () -> Void)? {
        state.wait {
            !$0.waiting.isEmpty || $0.running == 0
        } then: { state in
            guard !state.waiting.isEmpty else { return nil }
            state.running += 1
            return state.waiting.removeFirst().body
        }
    }
}
