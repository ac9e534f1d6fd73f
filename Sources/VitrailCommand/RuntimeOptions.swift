import ArgumentParser
import CPUBackend
import TensorCore

/// Options of every command that computes.
struct RuntimeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads to compute with; all cores by default.", valueName: "n"))
    var threads: Int?

    @Option(help: "How factors of matrix products are rounded: float32 or bfloat16.")
    var precision: PrecisionOption?

    func validate() throws {
        if let threads, !(1...1_024).contains(threads) {
            throw ValidationError("--threads \(threads) is out of range. Give a number from 1 to 1024.")
        }
    }

    /// The processor that computes.
    func backend(threads fallback: Int? = nil, precision other: PrecisionOption = .float32) -> CPUBackend {
        CPUBackend(threads: threads ?? fallback, products: (precision ?? other) == .float32 ? .float32 : .bfloat16)
    }
}

/// A precision by name.
enum PrecisionOption: String, ExpressibleByArgument, CaseIterable {
    case float32
    case bfloat16
}
