import ReferenceBackend
import TensorCore
import TestSupport
import Testing

/// What a kernel left behind, by name.
typealias KernelResult = (name: String, values: [Float], tolerance: Tolerance)

/// Runs one body on the reference back end and on another, with the same numbers, and compares what they left.
func expectLikeReference(
    _ backend: TestBackend, seed: UInt64 = 1, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (any Backend, inout NumberStream) -> [KernelResult]
) {
    expectLikeReference(backend.make(), seed: seed, what, sourceLocation: sourceLocation, body)
}

/// The same for a back end with settings of its own.
func expectLikeReference(
    _ backend: any Backend, seed: UInt64 = 1, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (any Backend, inout NumberStream) -> [KernelResult]
) {
    var numbers = NumberStream(seed: seed)
    let expected = body(ReferenceBackend(), &numbers)
    numbers = NumberStream(seed: seed)
    let actual = body(backend, &numbers)
    for (mine, theirs) in zip(actual, expected) {
        expectClose(
            mine.values, theirs.values, theirs.tolerance, "\(what) \(theirs.name)", sourceLocation: sourceLocation)
    }
}

/// Rows and columns: single elements, no rows, primes, whole vectors, just off them, and enough for several threads.
let matrixShapes: [(rows: Int, columns: Int)] = [
    (1, 1), (0, 8), (1, 7), (2, 16), (3, 33), (7, 64), (13, 129), (61, 257), (530, 96),
]

/// Element counts for kernels that do not look at rows.
let elementCounts = [0, 1, 7, 16, 31, 257, 4099, 70_001]
