import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Bytes by which this process grows at the most while `body` runs; 0 where the system does not tell.
///
/// Other tests of the process take memory of their own meanwhile, all of them together a few times. What `body` takes it takes each time, so
/// the least of several runs is told, and the first that is below the limit is the last.
public func memoryTaken(lessThan limit: Int, _ body: () throws -> Void) rethrows -> Int {
    var least = Int.max
    for _ in 0..<8 where least >= limit {
        // Sets the peak back to what there is now; where that is not allowed, only growth beyond the earlier peak is seen.
        let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        if file >= 0 {
            _ = write(file, "5", 1)
            close(file)
        }
        let before = peakBytes()
        try body()
        least = min(least, peakBytes() - before)
    }
    return least
}

/// The most memory that this process has had since the peak was set back.
private func peakBytes() -> Int {
    let lines = (try? Files.readText("/proc/self/status"))?.split(separator: "\n") ?? []
    let line = lines.first { $0.hasPrefix("VmHWM:") }
    let words = line?.split(whereSeparator: { $0 == " " || $0 == "\t" })
    return (words?.dropFirst().first.flatMap { Int($0) } ?? 0) << 10
}

/// Time on a processor, which does not pass while other work has it.
public enum ProcessorTime {
    /// Seconds that the calling thread has had.
    public static var ofThisThread: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
}
