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

        /// What lies between the first and the last multiple of `alignment`.
        func inside(_ alignment: Int) -> Range<Int> {
            let first = (start + alignment - 1) / alignment * alignment
            return first..<max(first, end / alignment * alignment)
        }
    }

    private struct Region {
        let base: UnsafeMutableRawPointer
        let byteCount: Int
        /// Where the part begins that no block has been cut from yet.
        var top = 0
        /// Holes below the top, by address; two that touch differ in whether they take memory.
        var holes: [Hole] = []

        /// Joins a hole with those beside it that are like it.
        mutating func join(around index: Int) {
            for second in [index + 1, index] where second > 0 && second < holes.count {
                let (before, after) = (holes[second - 1], holes[second])
                guard before.end == after.start, before.isClean == after.isClean else { continue }
                holes[second - 1].byteCount += after.byteCount
                holes.remove(at: second)
            }
        }

        /// Notes that the pages of a part of a hole went back.
        mutating func clean(_ index: Int, _ range: Range<Int>) {
            let hole = holes[index]
            let parts = [hole.start..<range.lowerBound, range, range.upperBound..<hole.end].filter { !$0.isEmpty }
            holes.replaceSubrange(
                index...index,
                with: parts.map { Hole(start: $0.lowerBound, byteCount: $0.count, isClean: $0 == range) })
            for place in (index..<index + parts.count).reversed() { join(around: place) }
        }
    }

    /// Bytes of a huge page; regions begin at a multiple.
    static let hugePage = 2 << 20
    /// Blocks are multiples of it.
    private static let granule = 4096
    private static let regionByteCount = 1 << 30

    private var regions: [Region] = []
    /// Bytes that are free and take memory.
    private(set) var idle = 0

    /// What a block of `byteCount` bytes takes.
    static func size(of byteCount: Int) -> Int { (byteCount + granule - 1) / granule * granule }

    /// A block from the smallest hole that holds it, so that large ones stay whole; of equal ones the lowest of the oldest region.
    ///
    /// - Parameter isClean: whether it may come from holes whose pages went back, and takes fresh memory there, or from others.
    mutating func takeHole(_ size: Int, isClean: Bool) -> UnsafeMutableRawPointer? {
        var best: (region: Int, index: Int, byteCount: Int)?
        for r in regions.indices {
            for (h, hole) in regions[r].holes.enumerated()
            where hole.isClean == isClean && hole.byteCount >= size && hole.byteCount < best?.byteCount ?? .max {
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
        if !isClean { idle -= size }
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
        let hole = Hole(start: pointer - regions[r].base, byteCount: size, isClean: false)
        let place = regions[r].holes.partitioningIndex { $0.start > hole.start }
        regions[r].holes.insert(hole, at: place)
        regions[r].join(around: place)
    }

    /// Gives pages of holes back to the operating system, those of the largest first, until `byteCount` bytes are gone.
    ///
    /// - Parameter alignment: what is given back begins and ends at its multiples. Of a huge page that goes in part, the rest lies on small ones
    ///   from then on.
    /// - Returns: bytes that are not gone, since holes have no more.
    @discardableResult
    mutating func discard(_ byteCount: Int = .max, alignment: Int = granule) -> Int {
        var left = byteCount
        while left > 0, idle > 0 {
            var largest: (region: Int, index: Int, range: Range<Int>)?
            for r in regions.indices {
                for (h, hole) in regions[r].holes.enumerated() where !hole.isClean {
                    let range = hole.inside(alignment)
                    if range.count > largest?.range.count ?? 0 { largest = (r, h, range) }
                }
            }
            guard let (r, h, range) = largest else { break }
            _ = vitrail_memory_discard(regions[r].base + range.lowerBound, range.count)
            regions[r].clean(h, range)
            idle -= range.count
            left -= range.count
        }
        return left
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
