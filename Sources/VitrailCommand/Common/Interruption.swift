import Basics
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Ctrl-C as a flag: the first asks the work to stop where nothing is lost, a later one ends the process at once.
enum Interruption {
    // When the first came, in milliseconds; 0 before. Set by the signal handler, which may do little else, and read by all threads.
    private static let first = Atomic(0)
    // Work that never asks is ended by the first.
    private static let isListening = Atomic(false)
    /// Milliseconds within which signals are one: `timeout` and terminals' wrappers send it to the process and to its group.
    private static let once = 300

    /// Ends the process with 130 for SIGINT and SIGTERM, as long as nobody listens.
    static func begin() {
        // Made before a handler needs them.
        _ = (isRequested, isListening.load(ordering: .relaxed), once)
        // A file that may not grow is an error of its write, which is told; by itself the signal ends the process without a word.
        // A log's reader that has gone away is no reason to end what is logged; see Console.
        for number in [SIGXFSZ, SIGPIPE] { signal(number, SIG_IGN) }
        // A parent's threads may block signals, and children inherit that.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                let now = Interruption.milliseconds
                let earlier = Interruption.first.compareExchange(expected: 0, desired: now, ordering: .relaxed)
                let isAnother = !earlier.exchanged && now - earlier.original > Interruption.once
                if isAnother || !Interruption.isListening.load(ordering: .relaxed) { _exit(130) }
            }
        }
    }

    /// Says that the work asks from here on whether it is to stop.
    static func listen() { isListening.store(true, ordering: .relaxed) }

    /// Whether somebody asked to stop.
    static var isRequested: Bool { first.load(ordering: .relaxed) > 0 }

    /// - Throws: `RunStopped` when somebody asked to stop.
    static func check() throws(RunStopped) {
        if isRequested { throw RunStopped() }
    }

    /// Of a clock that never goes back.
    private static var milliseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int(time.tv_sec) * 1_000 + Int(time.tv_nsec) / 1_000_000 + 1
    }
}
