#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A thread of the operating system that runs one closure.
public struct WorkerThread: Sendable {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    #if canImport(Glibc)
        private let handle: pthread_t
    #else
        private nonisolated(unsafe) let handle: pthread_t
    #endif

    /// Starts a thread; nil when the system has none left.
    ///
    /// Its stack has 8 MiB on every platform, enough for the recursion of the JSON and template parsers.
    public init?(_ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 8 << 20)
        let work = Unmanaged.passRetained(Work(body))
        #if canImport(Glibc)
            var handle = pthread_t()
            let result = pthread_create(
                &handle, &attributes,
                { argument in
                    if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                    return nil
                }, work.toOpaque())
        #else
            var created: pthread_t?
            let result = pthread_create(
                &created, &attributes,
                { argument in
                    Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                    return nil
                }, work.toOpaque())
        #endif
        guard result == 0 else {
            work.release()
            return nil
        }
        #if !canImport(Glibc)
            guard let handle = created else { return nil }
        #endif
        self.handle = handle
    }

    /// Waits until the closure has returned. To be called once.
    public func join() {
        pthread_join(handle, nil)
    }
}
