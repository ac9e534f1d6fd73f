import Synchronization

/// Work on another thread whose result is waited for; on this one when the system has no thread left. Nobody who lets go of it leaves
/// the thread behind: it is waited for then.
public final class Background<Value: Sendable>: Sendable {
    private final class Box: @unchecked Sendable {  // written before the thread ends, read after it is joined
        var result: Result<Value, any Error>?
    }

    private let box = Box()
    private let thread: WorkerThread?
    private let isJoined = Mutex(false)

    /// Begins the work.
    public init(_ body: @escaping @Sendable () throws -> Value) {
        let box = box
        thread = WorkerThread { box.result = Result { try body() } }
        if thread == nil { box.result = Result { try body() } }
    }

    /// The result; waits until it is there.
    ///
    /// - Throws: what the work threw.
    public func wait() throws -> Value {
        join()
        return try box.result!.get()
    }

    deinit { join() }

    private func join() {
        isJoined.withLock { isJoined in
            if !isJoined { thread?.join() }
            isJoined = true
        }
    }
}
