import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The machine has no memory left for something that a computation cannot go on without.
///
/// Tensors are allocated in places that have no one to throw to; so the process ends with a message and exit code 1, as for any
/// other error. Nothing is lost: files are written beside their places, and runs continue from their last checkpoint.
public struct MemoryExhaustion: Problem {
    /// What was asked for, in words.
    public let purpose: String
    /// Bytes asked for; nil when not known.
    public let byteCount: Int?
    /// Bytes of tensors in use.
    public let usedBytes: Int
    /// Bytes that the user allows; nil when the system had no more.
    public let limit: Int?

    /// A request that failed.
    public init(_ purpose: String, byteCount: Int?, usedBytes: Int, limit: Int? = nil) {
        self.limit = limit
        self.purpose = purpose
        self.byteCount = byteCount
        self.usedBytes = usedBytes
    }

    /// What was asked for, and what is in use.
    public var problem: String {
        let asked = byteCount.map { Self.gibibytes($0) + " for " } ?? ""
        let allowed = limit.map { " of the \(Self.gibibytes($0)) that --memory-limit allows" } ?? ""
        return "out of memory: \(asked)\(purpose), with \(Self.gibibytes(usedBytes)) in use\(allowed)"
    }

    /// The settings that take less.
    public var fix: String? {
        "training: lower batch_size or raise accumulate, set recompute_activations: true, or train fewer parts; "
            + "answers: lower --batch (of score --batch-size), or pass --quantize q8 or q4"
    }

    /// Says so and ends the process with exit code 1. Of several threads that come here, the first one speaks, and the others wait for the end.
    public func endProcess() -> Never {
        Self.ending.withLock { _ in
            let text = Array("error: \(problem)\nfix: \(fix ?? "")\n".utf8)
            _ = write(STDERR_FILENO, text, text.count)
            // At once: what runs at an orderly end takes away what the other threads are still at.
            _exit(1)
        }
    }

    private static let ending = Mutex(())

    /// Bytes in GiB, rounded up: two places, or four where two would leave one digit or none.
    public static func gibibytes(_ byteCount: Int) -> String {
        let gibibytes = Double(byteCount) / 1_073_741_824
        let (places, unit) = gibibytes == 0 || gibibytes > 0.09 ? (2, 100) : (4, 10_000)
        let units = Int((gibibytes * Double(unit)).rounded(.up))
        let rest = String(units % unit)
        return "\(units / unit).\(String(repeating: "0", count: places - rest.count))\(rest) GiB"
    }
}
