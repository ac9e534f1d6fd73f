import ArgumentParser
import Basics
import CPUBackend
import TensorCore

/// Options of every command that computes.
struct RuntimeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Threads to compute with (default: all cores that the process may use, no more than a container's quota).",
            valueName: "n"))
    var threads: Int?

    @Option(help: "Where threads run: free (default), or cores, which binds each to a core of its own.")
    var affinity = AffinityOption.free

    @Option(
        help: ArgumentHelp("Most memory of tensors, in GiB; work that needs more ends with an error.", valueName: "GiB")
    )
    var memoryLimit: Double?

    @Option(help: "How factors of matrix products are rounded: float32, unless a recipe says otherwise, or bfloat16.")
    var precision: PrecisionOption?

    func validate() throws {
        try OptionRange.threads.check(threads, "--threads")
        try (0.001...1_048_576).check(memoryLimit, "--memory-limit")
    }

    /// The options as they were given, for another call.
    var words: [String] {
        var words: [String] = []
        if let threads { words += ["--threads", String(threads)] }
        if affinity != .free { words += ["--affinity", affinity.rawValue] }
        if let memoryLimit { words += ["--memory-limit", String(memoryLimit)] }
        if let precision { words += ["--precision", precision.rawValue] }
        return words
    }

    /// The processor that computes.
    func backend(threads fallback: Int? = nil, precision other: PrecisionOption = .float32) -> CPUBackend {
        CPUBackend(
            threads: threads ?? fallback, products: (precision ?? other) == .float32 ? .float32 : .bfloat16,
            pinsThreads: affinity == .cores, memoryLimit: memoryLimit.map { Int($0 * 1_073_741_824) })
    }
}

/// Threads of commands that read and write, without a model.
struct WorkerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Threads (default: all cores that the process may use, no more than a container's quota).", valueName: "n"))
    var threads: Int?

    func validate() throws {
        try OptionRange.threads.check(threads, "--threads")
    }

    var workers: Int { threads ?? Parallel.processors }
}

/// Where threads run, by name.
enum AffinityOption: String, ExpressibleByArgument, CaseIterable {
    case free, cores
}

/// A precision by name.
enum PrecisionOption: String, ExpressibleByArgument, CaseIterable {
    case float32
    case bfloat16
}
