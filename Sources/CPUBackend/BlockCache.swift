import Basics
import CKernels
import Synchronization

/// Blocks of memory that are handed out again instead of going back to the operating system.
///
/// Fresh pages for every activation cost more than many kernels do. Small sizes are rounded up to eight steps per power of two,
/// and a freed block serves any request that fills at least half of it; large blocks come from a `BlockArena`. What lies idle is
/// bounded: before the system is asked for more, idle blocks are released until all blocks together stay near the most that
/// was ever in use.
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
        var arena = BlockArena()
    }

    private static let classes = 48 * 8
    /// Idle bytes that are kept whatever the peak.
    private static let slack = 64 << 20
    /// Idle bytes that are kept, whatever the peak, when a large block wants more than any hole has and no threads compute side by side.
    private static let largeSlack = 16 << 20
    /// The part of the peak that may lie idle besides, where only parts of huge pages are idle.
    private static let partPages = 32
    /// Bytes from which on a block is cut from the arena.
    private static let large = 256 << 10

    private let state = Mutex(State())
    /// Most bytes of blocks in use.
    private let limit: Int?

    /// - Parameter limit: most bytes in use at once; nil for as many as the system has.
    init(limit: Int? = nil) { self.limit = limit }

    deinit {
        state.withLock { state in
            Self.release(&state, excess: .max)
            state.arena.release()
        }
    }

    /// Bytes in use and idle.
    var statistics: Statistics {
        state.withLock {
            var statistics = $0.statistics
            statistics.idle += $0.arena.idle
            return statistics
        }
    }

    /// Counts the peak from here on.
    func resetPeak() { state.withLock { $0.statistics.peak = $0.statistics.used } }

    /// Gives all idle memory back to the operating system.
    func trim() {
        state.withLock { state in
            Self.release(&state, excess: .max)
            state.arena.discard()
        }
    }

    /// A block of at least `byteCount` bytes and the class to return it to: a large block's is its size, negative.
    ///
    /// - Parameter isBeside: whether other threads compute beside the calling one: all of them are interrupted whenever pages go back, and
    ///   those that want memory wait for it, so more may lie idle.
    func take(_ byteCount: Int, isBeside: Bool = false) -> (pointer: UnsafeMutableRawPointer, sizeClass: Int) {
        let found = byteCount < Self.large ? takeSmall(byteCount) : takeLarge(byteCount, isBeside: isBeside)
        guard let found else {
            let size =
                byteCount < Self.large ? Self.size(of: Self.sizeClass(of: byteCount)) : BlockArena.size(of: byteCount)
            MemoryExhaustion(
                "a tensor", byteCount: byteCount, usedBytes: statistics.used - size, limit: isAllowed ? nil : limit
            ).endProcess()
        }
        return found
    }

    /// Whether what is in use is within the limit.
    private var isAllowed: Bool { limit.map { statistics.used <= $0 } ?? true }

    private func takeLarge(_ byteCount: Int, isBeside: Bool) -> (pointer: UnsafeMutableRawPointer, sizeClass: Int)? {
        let size = BlockArena.size(of: byteCount)
        let address = state.withLock { state -> UInt? in
            Self.countUse(&state, size)
            if let limit, state.statistics.used > limit { return nil }
            if let hole = state.arena.takeHole(size, isClean: false) { return UInt(bitPattern: hole) }
            state.statistics.fresh += 1
            // No hole is large enough, but all of them may be as large together: their pages make room.
            let excess =
                isBeside
                ? self.excess(state) : Self.total(state) - min(state.statistics.peak + Self.largeSlack, limit ?? .max)
            let left = state.arena.discard(excess, alignment: BlockArena.hugePage)
            state.arena.discard(left - min(state.statistics.peak / Self.partPages, limit == nil ? .max : 0))
            if excess > 0 { Self.release(&state, excess: self.excess(state)) }
            if let hole = state.arena.takeHole(size, isClean: true) { return UInt(bitPattern: hole) }
            return state.arena.takeFresh(size).map { UInt(bitPattern: $0) }
        }
        return address.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }.map { ($0, -size) }
    }

    private func takeSmall(_ byteCount: Int) -> (pointer: UnsafeMutableRawPointer, sizeClass: Int)? {
        let wanted = Self.sizeClass(of: byteCount)
        let found: (UInt, Int)? = state.withLock { state in
            for index in wanted..<min(wanted + 8, Self.classes) {
                guard let address = state.idle[index].popLast() else { continue }
                state.statistics.idle -= Self.size(of: index)
                Self.countUse(&state, Self.size(of: index))
                return (address, index)
            }
            Self.countUse(&state, Self.size(of: wanted))
            state.statistics.fresh += 1
            let excess = excess(state)
            Self.release(&state, excess: excess)
            return nil
        }
        if let (address, index) = found, let pointer = UnsafeMutableRawPointer(bitPattern: address) {
            return (pointer, index)
        }
        guard isAllowed else { return nil }
        return vitrail_memory_take(Self.size(of: wanted)).map { ($0, wanted) }
    }

    /// Takes a block back.
    func giveBack(_ pointer: UnsafeMutableRawPointer, sizeClass: Int) {
        let address = UInt(bitPattern: pointer)
        state.withLock { state in
            if sizeClass < 0 {
                state.statistics.used += sizeClass
                if let pointer = UnsafeMutableRawPointer(bitPattern: address) {
                    state.arena.giveBack(pointer, -sizeClass)
                }
                return
            }
            state.idle[sizeClass].append(address)
            state.statistics.used -= Self.size(of: sizeClass)
            state.statistics.idle += Self.size(of: sizeClass)
        }
    }

    /// Counts bytes of blocks in use whose pages went back to the system, or, negative, that are taken again.
    func discount(_ byteCount: Int) {
        state.withLock { state in
            state.statistics.used -= byteCount
            state.statistics.peak = max(state.statistics.peak, state.statistics.used)
        }
    }

    private static func countUse(_ state: inout State, _ byteCount: Int) {
        state.statistics.requests += 1
        state.statistics.used += byteCount
        state.statistics.peak = max(state.statistics.peak, state.statistics.used)
    }

    /// Bytes that are in use or idle beyond what is kept.
    private func excess(_ state: borrowing State) -> Int {
        let limit = min(state.statistics.peak + state.statistics.peak / 4 + Self.slack, limit ?? .max)
        return Self.total(state) - limit
    }

    /// Bytes in use and idle ones that take memory.
    private static func total(_ state: borrowing State) -> Int {
        state.statistics.used + state.statistics.idle + state.arena.idle
    }

    /// Gives small idle blocks back, the largest first, until `excess` bytes are gone.
    private static func release(_ state: inout State, excess: Int) {
        var excess = excess
        for index in state.idle.indices.reversed() where excess > 0 && state.statistics.idle > 0 {
            while excess > 0, let address = state.idle[index].popLast() {
                vitrail_memory_give(UnsafeMutableRawPointer(bitPattern: address), size(of: index))
                state.statistics.idle -= size(of: index)
                excess -= size(of: index)
            }
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
