import Synchronization

/// An optimizer's pass over several tensors that other threads are still at, while its caller goes on.
public protocol PendingUpdate: AnyObject, Sendable {
    /// Returns when the first `count` slices have their new values, or all where there are fewer; any thread may wait.
    func wait(slices count: Int)
}

/// What a parameter's next reader waits for.
///
/// Unchecked because readers on several threads share it: what is late is read and written under the lock.
final class LateValue: @unchecked Sendable {
    private let isLate = Atomic(false)
    private let lock = Mutex(())
    private var update: (any PendingUpdate)?
    private var slice = 0
    /// Read until the value is there, then given back.
    private var gradient: Tensor?

    /// The value arrives with a slice of an update.
    func arrive(with update: any PendingUpdate, slice: Int, reading gradient: Tensor) {
        lock.withLock { _ in
            (self.update, self.slice, self.gradient) = (update, slice, gradient)
            isLate.store(true, ordering: .releasing)
        }
    }

    /// Returns when the value is there.
    func wait() {
        guard isLate.load(ordering: .acquiring) else { return }
        lock.withLock { _ in
            update?.wait(slices: slice + 1)
            (update, gradient) = (nil, nil)
            isLate.store(false, ordering: .releasing)
        }
    }
}
