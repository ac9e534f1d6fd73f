import CKernels

/// Large blocks, cut from regions of address space so that free neighbours become one again.
///
/// A training step holds activations first and gradients later, in other sizes. Blocks that keep their size would serve the one or
/// the other; here freed activations make room for gradients, and a step takes the memory of its fullest moment only. A region is
/// asked for whole, lies on huge pages and is filled from its start: what has not been touched takes no memory.
struct BlockArena: ~Copyable {
    /// A hole, in bytes from the region's start.
    private struct Hole {
        var start: Int
        var byteCount: Int
        /// Whether its pages went back to the operating system.
        var isClean: Bool
        var end: Int { start + byteCount }
    }

    private struct Region {
        let base: UnsafeMutableRawPointer
        let byteCount: Int
        /// Where the part begins that no block has been cut from yet.
        var top = 0
        /// Holes below the top, by address; no two of them touch.
        var holes: [Hole] = []
    }

    /// Blocks are multiples of it.
    private static let granule = 4096
    private static let regionByteCount = 1 << 30

    private var regions: [Region] = []
    /// Bytes that are free and take memory.
    private(set) var idle = 0

    /// What a block of `byteCount` bytes takes.
    static func size(of byteCount: Int) -> Int { (byteCount + granule - 1) / granule * granule }

    /// A block from the smallest hole that holds it, so that large ones stay whole; of equal ones the lowest of the oldest region.
    mutating func takeHole(_ size: Int) -> UnsafeMutableRawPointer? {
        var best: (region: Int, index: Int, byteCount: Int)?
        for r in regions.indices {
            for (h, hole) in regions[r].holes.enumerated()
            where hole.byteCount >= size && hole.byteCount < best?.byteCount ?? .max {
                best = (r, h, hole.byteCount)
            }
        }
        guard let (r, h, byteCount) = best else { return nil }
        let hole = regions[r].holes[h]
        if byteCount == size {
            regions[r].holes.remove(at: h)
        } else {
            regions[r].holes[h].start += size
            regions[r].holes[h].byteCount -= size
        }
        if !hole.isClean { idle -= size }
        return regions[r].base + hole.start
    }

    /// A block that takes fresh memory; nil when the operating system gives none.
    mutating func takeFresh(_ size: Int) -> UnsafeMutableRawPointer? {
        for r in regions.indices {
            // A hole below the top grows into a block.
            var start = regions[r].top
            let last = regions[r].holes.last.flatMap { $0.end == start ? $0 : nil }
            if let last { start = last.start }
            guard regions[r].byteCount - start >= size else { continue }
            if let last {
                regions[r].holes.removeLast()
                if !last.isClean { idle -= last.byteCount }
            }
            regions[r].top = start + size
            return regions[r].base + start
        }
        // A system that counts address space may refuse a whole region.
        for byteCount in [max(size, Self.regionByteCount), size] {
            guard let base = vitrail_memory_take(byteCount) else { continue }
            regions.append(Region(base: base, byteCount: byteCount, top: size))
            return base
        }
        return nil
    }

    /// Takes a block back and joins it with the holes beside it.
    mutating func giveBack(_ pointer: UnsafeMutableRawPointer, _ size: Int) {
        guard let r = regions.firstIndex(where: { $0.base <= pointer && pointer < $0.base + $0.byteCount }) else {
            preconditionFailure("a block comes back to the arena it was taken from")
        }
        idle += size
        var hole = Hole(start: pointer - regions[r].base, byteCount: size, isClean: false)
        var next = regions[r].holes.partitioningIndex { $0.start > hole.start }
        if next < regions[r].holes.count, regions[r].holes[next].start == hole.end {
            join(&hole, regions[r].holes.remove(at: next))
        }
        if next > 0, regions[r].holes[next - 1].end == hole.start {
            next -= 1
            join(&hole, regions[r].holes.remove(at: next))
        }
        regions[r].holes.insert(hole, at: next)
    }

    /// A joined hole counts as touched.
    private mutating func join(_ hole: inout Hole, _ other: Hole) {
        if other.isClean { idle += other.byteCount }
        hole.start = min(hole.start, other.start)
        hole.byteCount += other.byteCount
    }

    /// Gives the pages of all holes back to the operating system.
    mutating func discard() {
        for r in regions.indices {
            for h in regions[r].holes.indices where !regions[r].holes[h].isClean {
                vitrail_memory_discard(regions[r].base + regions[r].holes[h].start, regions[r].holes[h].byteCount)
                regions[r].holes[h].isClean = true
            }
        }
        idle = 0
    }

    /// Gives everything back; no block is in use.
    mutating func release() {
        for region in regions { vitrail_memory_give(region.base, region.byteCount) }
        regions = []
        idle = 0
    }
}

extension Array {
    /// The first index whose element belongs to the second half, in an array whose first half does not.
    fileprivate func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
