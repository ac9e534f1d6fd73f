/// Work on another thread whose result is waited for; on this one when the system has no thread left.
public final class Background<Value: Sendable>: Sendable {
    private final class Box: @unchecked Sendable {  // written before the thread ends, read after it is joined
        var result: Result<Value, any Error>?
    }

    private let box = Box()
    private let thread: WorkerThread?

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
        thread?.join()
        return try box.result!.get()
    }
}
