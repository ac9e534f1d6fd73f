import Basics

/// Makes values for consecutive positions ahead on worker threads, and hands them out in order.
///
/// What is delivered depends on the positions alone, never on the number of workers. At most `depth` values wait.
/// Dropping the object stops and joins its threads.
final class OrderedPrefetcher<Value: Sendable> {
    private struct State {
        var nextToMake: Int
        var nextToDeliver: Int
        var end: Int
        var slots: [Value?]
        var stopped = false
    }

    private let monitor: Monitor<State>
    private let threads: [WorkerThread]
    private let depth: Int
    private let end: Int

    /// Starts the workers.
    /// - Throws: `UserError` when not even one thread can be started.
    init(
        positions: Range<Int>, workers: Int, depth: Int, make: @escaping @Sendable (Int) -> Value
    ) throws(UserError) {
        let depth = max(1, depth)
        self.depth = depth
        end = positions.upperBound
        let monitor = Monitor(
            State(
                nextToMake: positions.lowerBound, nextToDeliver: positions.lowerBound, end: positions.upperBound,
                slots: Array(repeating: nil, count: depth)))
        self.monitor = monitor
        var threads: [WorkerThread] = []
        for _ in 0..<max(1, min(workers, depth)) {
            if let thread = WorkerThread({ Self.work(monitor, depth: depth, make: make) }) { threads.append(thread) }
        }
        self.threads = threads
        if threads.isEmpty {
            throw UserError("no thread could be started", fix: "raise the limit on processes (ulimit -u)")
        }
    }

    deinit {
        monitor.update { $0.stopped = true }
        for thread in threads { thread.join() }
    }

    private static func work(_ monitor: Monitor<State>, depth: Int, make: (Int) -> Value) {
        while true {
            let position: Int? = monitor.wait(
                until: { $0.stopped || $0.nextToMake >= $0.end || $0.nextToMake < $0.nextToDeliver + depth },
                then: { state in
                    guard !state.stopped, state.nextToMake < state.end else { return nil }
                    state.nextToMake += 1
                    return state.nextToMake - 1
                })
            guard let position else { return }
            let value = make(position)
            monitor.update { $0.slots[position % depth] = value }
        }
    }

    /// The next value in order, waiting for it when need be; nil after the last.
    func next() -> Value? {
        monitor.wait(
            until: { $0.nextToDeliver >= $0.end || $0.slots[$0.nextToDeliver % depth] != nil },
            then: { state in
                guard state.nextToDeliver < state.end else { return nil }
                let slot = state.nextToDeliver % depth
                defer {
                    state.slots[slot] = nil
                    state.nextToDeliver += 1
                }
                return state.slots[slot]
            })
    }
}
