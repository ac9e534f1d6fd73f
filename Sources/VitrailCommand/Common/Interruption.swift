import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Ctrl-C as a flag: the first asks the work to stop where nothing is lost, the second ends the process at once.
enum Interruption {
    // Counted by the signal handler, which may do nothing but this, and read by all threads.
    private static let requests = Atomic(0)

    /// Begins to listen for SIGINT and SIGTERM.
    static func listen() {
        // Made before a handler needs it.
        _ = isRequested
        // A parent's threads may block signals, and children inherit that.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                if Interruption.requests.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
            }
        }
    }

    /// Whether somebody asked to stop.
    static var isRequested: Bool { requests.load(ordering: .relaxed) > 0 }
}
