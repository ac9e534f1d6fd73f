import Synchronization

/// Buffers of one encoding call, used again by later calls.
///
/// `@unchecked Sendable`: an instance is in the pool or in use by exactly one call, never both.
final class EncodingScratch: @unchecked Sendable {
    let cache = WordCache()
    /// Tokens of the word being merged: ids, and indices of neighbours (-1 at the ends).
    var ids: [Int32] = []
    var previous: [Int32] = []
    var next: [Int32] = []
    var merges: [PairTable.Merge] = []
    /// Heap of merges that may still apply: rank in the high half, position in the low half.
    var heap: [UInt64] = []
    /// Best ways to cut the text under way.
    var nodes: [UnigramModel.Node] = []

    deinit { cache.deallocate() }

    /// Idle instances, one for each call that ran at the same time.
    final class Pool: Sendable {
        private let idle = Mutex<[EncodingScratch]>([])

        func borrow<Result>(_ body: (EncodingScratch) throws -> Result) rethrows -> Result {
            let scratch = idle.withLock { $0.popLast() } ?? EncodingScratch()
            defer { idle.withLock { $0.append(scratch) } }
            return try body(scratch)
        }
    }
}
