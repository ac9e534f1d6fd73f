import CPUBackend
import ReferenceBackend
public import TensorCore
public import Testing

/// The back ends that every kernel and operation is tested on.
public enum TestBackend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case reference
    case cpu
    /// The CPU back end on one thread: other divisions of sums.
    case cpuOneThread

    /// The name in the list of test cases.
    public var testDescription: String { rawValue }

    /// A fresh back end.
    public func make() -> any Backend {
        switch self {
        case .reference: ReferenceBackend()
        case .cpu: CPUBackend(threads: 4)
        case .cpuOneThread: CPUBackend(threads: 1)
        }
    }

    /// The back ends that claim to compute what the reference back end computes.
    public static let optimized = allCases.filter { $0 != .reference }
}
