import Synchronization

extension Parallel {
    /// Computes values 0, 1, … on up to `workers` threads, the calling one included, and hands each to `deliver` in this order.
    ///
    /// Values are delivered one at a time, each as soon as all before it are, by whichever thread then has them. No value is begun
    /// after `compute` returned nil or threw, or `deliver` threw; those under way are finished.
    ///
    /// - Throws: the first error in the order of the values; what stands before it was delivered, what stands behind it was not.
    public static func inOrder<Value: Sendable>(
        _ count: Int, workers: Int = processors, compute: @Sendable (Int) throws -> Value?,
        deliver: (Value) throws -> Void
    ) throws {
        let order = DeliveryOrder<Value>(count: count)
        try withoutActuallyEscaping(compute) { compute in
            try withoutActuallyEscaping(deliver) { deliver in
                // Called under the order's lock, and not after `run` has returned.
                nonisolated(unsafe) let deliver = deliver
                try run(workers: min(max(1, workers), count)) {
                    while let index = order.take() {
                        order.finish(index, Result { try compute(index) }, deliver)
                    }
                }
            }
        }
        try order.check()
    }
}

/// Hands out numbers in order, and values in the same order however they arrive.
private final class DeliveryOrder<Value: Sendable>: Sendable {
    private struct State {
        var next = 0
        var delivered = 0
        var waiting: [Int: Result<Value?, any Error>] = [:]
        var isOver = false
        var failure: (any Error)?
    }
    private let state = Mutex(State())
    private let count: Int

    init(count: Int) { self.count = count }

    func take() -> Int? {
        state.withLock { state in
            guard !state.isOver, state.next < count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }

    func finish(_ index: Int, _ result: Result<Value?, any Error>, _ deliver: (Value) throws -> Void) {
        state.withLock { state in
            state.waiting[index] = result
            if case .success(_?) = result {} else { state.isOver = true }
            while let result = state.waiting.removeValue(forKey: state.delivered) {
                state.delivered += 1
                guard state.failure == nil else { continue }
                do {
                    if let value = try result.get() { try deliver(value) }
                } catch {
                    state.failure = error
                    state.isOver = true
                }
            }
        }
    }

    func check() throws {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}
