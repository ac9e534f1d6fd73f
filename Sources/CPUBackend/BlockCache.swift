import Basics
import CKernels
import Synchronization

/// Blocks of memory that are handed out again instead of going back to the operating system.
///
/// Fresh pages for every activation cost more than many kernels do. Sizes are rounded up to eight steps per power of two,
/// and a freed block serves any request that fills at least half of it. What lies idle is bounded: before the system
/// is asked for more, idle blocks are released until all blocks together stay near the most that was ever in use.
final class BlockCache: Sendable {
    /// Bytes in use now, at the most so far, and idle.
    struct Statistics: Sendable {
        var used = 0
        var peak = 0
        var idle = 0
        /// Blocks handed out so far, and how many of them had to come from the system.
        var requests = 0
        var fresh = 0
    }

    private struct State: ~Copyable {
        /// Idle blocks of every size class, the last returned on top: its pages are the likeliest to be in a cache.
        var idle = [[UInt]](repeating: [], count: BlockCache.classes)
        var statistics = Statistics()
    }

    private static let classes = 48 * 8
    /// Idle bytes that are kept whatever the peak.
    private static let slack = 64 << 20

    private let state = Mutex(State())
    /// Most bytes of blocks in use.
    private let limit: Int?

    /// - Parameter limit: most bytes in use at once; nil for as many as the system has.
    init(limit: Int? = nil) { self.limit = limit }

    deinit {
        state.withLock { state in
            for index in state.idle.indices { Self.release(&state, index, keeping: 0) }
        }
    }

    /// Bytes in use and idle.
    var statistics: Statistics { state.withLock { $0.statistics } }

    /// Counts the peak from here on.
    func resetPeak() { state.withLock { $0.statistics.peak = $0.statistics.used } }

    /// Gives all idle blocks back to the operating system.
    func trim() {
        state.withLock { state in
            for index in state.idle.indices { Self.release(&state, index, keeping: 0) }
        }
    }

    /// A block of at least `byteCount` bytes and the class to return it to.
    func take(_ byteCount: Int) -> (pointer: UnsafeMutableRawPointer, sizeClass: Int) {
        let wanted = Self.sizeClass(of: byteCount)
        let found: (UInt, Int)? = state.withLock { state in
            for index in wanted..<min(wanted + 8, Self.classes) {
                guard let address = state.idle[index].popLast() else { continue }
                state.statistics.idle -= Self.size(of: index)
                Self.countUse(&state, index)
                return (address, index)
            }
            Self.countUse(&state, wanted)
            state.statistics.fresh += 1
            let limit = min(state.statistics.peak + state.statistics.peak / 4 + Self.slack, limit ?? .max)
            for index in state.idle.indices.reversed() where state.statistics.idle > 0 {
                let excess = state.statistics.used + state.statistics.idle - limit
                if excess <= 0 { break }
                let size = Self.size(of: index)
                Self.release(&state, index, keeping: max(0, state.idle[index].count - (excess + size - 1) / size))
            }
            return nil
        }
        if let (address, index) = found, let pointer = UnsafeMutableRawPointer(bitPattern: address) {
            return (pointer, index)
        }
        let used = statistics.used
        let isAllowed = limit.map { used <= $0 } ?? true
        guard isAllowed, let fresh = vitrail_memory_take(Self.size(of: wanted)) else {
            MemoryExhaustion(
                "a tensor", byteCount: byteCount, usedBytes: used - Self.size(of: wanted),
                limit: isAllowed ? nil : limit
            ).endProcess()
        }
        return (fresh, wanted)
    }

    /// Takes a block back.
    func giveBack(_ pointer: UnsafeMutableRawPointer, sizeClass: Int) {
        state.withLock { state in
            state.idle[sizeClass].append(UInt(bitPattern: pointer))
            state.statistics.used -= Self.size(of: sizeClass)
            state.statistics.idle += Self.size(of: sizeClass)
        }
    }

    private static func countUse(_ state: inout State, _ index: Int) {
        state.statistics.requests += 1
        state.statistics.used += size(of: index)
        state.statistics.peak = max(state.statistics.peak, state.statistics.used)
    }

    private static func release(_ state: inout State, _ index: Int, keeping: Int) {
        while state.idle[index].count > keeping, let address = state.idle[index].popLast() {
            vitrail_memory_give(UnsafeMutableRawPointer(bitPattern: address), size(of: index))
            state.statistics.idle -= size(of: index)
        }
    }

    /// Bytes of the blocks of a class: (8 + index mod 8) · 2^(index / 8) units of 64 bytes.
    static func size(of index: Int) -> Int { (8 + index % 8) << (index / 8) * 64 }

    /// The smallest class whose blocks hold `byteCount` bytes.
    static func sizeClass(of byteCount: Int) -> Int {
        let units = max(8, (byteCount + 63) / 64)
        let exponent = Int.bitWidth - units.leadingZeroBitCount - 4
        let mantissa = (units + (1 << exponent) - 1) >> exponent
        return exponent * 8 + mantissa - 8
    }
}
