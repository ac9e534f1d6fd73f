import Synchronization

/// Work on plain threads.
///
/// Decoding pictures and hashing files block and take long, which would starve Swift's cooperative thread pool.
public enum Parallel {
    /// Applies `body` to every item on up to `workers` threads; results in the order of the items.
    ///
    /// Items are started in order. After a failure no further item starts, and of several failures the one of the
    /// first item is thrown, so the outcome does not depend on timing.
    public static func map<T: Sendable, R: Sendable>(
        _ items: [T], workers: Int = processors, _ body: @Sendable (T) throws -> R
    ) throws -> [R] {
        let job = ParallelJob<R>(count: items.count)
        try withoutActuallyEscaping(body) { body in
            try run(workers: min(max(1, workers), items.count)) {
                while let index = job.take() {
                    let result = Result { try body(items[index]) }
                    job.store(result, at: index)
                }
            }
        }
        return try job.results()
    }

    /// Runs `body(0)`, …, `body(count - 1)` on up to `workers` threads and waits for all of them.
    public static func forEach(
        _ count: Int, workers: Int = processors, _ body: @Sendable (Int) throws -> Void
    ) throws {
        _ = try map(Array(0..<count), workers: workers, body)
    }

    /// Runs `body` once on each of `workers` threads, the calling one included, and waits for all.
    static func run(workers: Int, _ body: @escaping @Sendable () -> Void) throws {
        var threads: [WorkerThread] = []
        for _ in 1..<max(1, workers) {
            // Fewer threads than wanted do the same work; only the speed suffers.
            guard let thread = WorkerThread(body) else { break }
            threads.append(thread)
        }
        body()
        for thread in threads { thread.join() }
    }
}

/// Hands out item numbers in order and collects results.
private final class ParallelJob<R: Sendable>: Sendable {
    private struct State {
        var next = 0
        var failed = false
        var results: [Result<R, any Error>?]
    }
    private let state: Mutex<State>
    private let count: Int

    init(count: Int) {
        self.count = count
        state = Mutex(State(results: Array(repeating: nil, count: count)))
    }

    func take() -> Int? {
        state.withLock { state in
            guard !state.failed, state.next < count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }

    func store(_ result: Result<R, any Error>, at index: Int) {
        state.withLock { state in
            if case .failure = result { state.failed = true }
            state.results[index] = result
        }
    }

    func results() throws -> [R] {
        try state.withLock { state in
            // Items behind the first failure may be missing; the failure comes before them.
            try state.results.map { result in
                guard let result else { preconditionFailure("an item was not run though none failed before it") }
                return try result.get()
            }
        }
    }
}
