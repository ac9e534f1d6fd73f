import CKernels
import Synchronization
import TensorCore

/// Block-form weights with 16 rows side by side, as products in integers read them: the same codes and scales in another order.
///
/// Made when a weight is first read, and kept while its memory lives and is not written to. Where every product reads this order, it is
/// the only one: the pages of the plain order go back to the system, and who wants that order gets a copy.
final class RegroupedWeights {
    /// Rows of a storage in their plain order.
    struct Window: Hashable {
        let address: UnsafeMutableRawPointer
        let rows: Int
        let columns: Int
        let dtype: DType

        var byteCount: Int { rows * dtype.byteCount(of: columns) }
        var range: Range<UnsafeMutableRawPointer> { address..<address + byteCount }
        /// The whole pages within, which can go back to the system.
        var pages: Range<UInt> {
            let (page, start) = (UInt(4096), UInt(bitPattern: address))
            let first = (start + page - 1) / page * page
            return first..<max(first, (start + UInt(byteCount)) / page * page)
        }
        var format: vitrail_weight_format { dtype == .int8Blocks ? VITRAIL_WEIGHTS_INT8 : VITRAIL_WEIGHTS_INT4 }
        /// Bytes of so many rows side by side.
        func groupedBytes(_ rows: Int) -> Int { vitrail_quantized_bytes(format, Int64(rows), Int64(columns)) }
    }

    /// The windows that were asked for: the matrices of a model, as products join them.
    var blocks: [Window: RegroupedBlock] = [:]
    /// Whether the plain order is gone.
    private(set) var isSole = false
    /// Pages of it that went back, those of windows in other windows once more.
    private var discarded: [Range<UInt>] = []
    /// Bytes that the memory counts as in use no more.
    private var discardedBytes = 0
    private let memory: BlockCache

    init(_ memory: BlockCache) { self.memory = memory }

    deinit { memory.countDiscarded(-discardedBytes) }

    /// Gives the pages of a window's plain order back to the system.
    func discardPlainOrder(of window: Window) {
        isSole = true
        guard vitrail_memory_discard(window.address, window.byteCount) else { return }
        discarded.append(window.pages)
        discarded.sort { $0.lowerBound < $1.lowerBound }
        var (end, byteCount) = (UInt(0), 0)
        for pages in discarded where pages.upperBound > end {
            byteCount += Int(pages.upperBound - max(end, pages.lowerBound))
            end = pages.upperBound
        }
        memory.countDiscarded(byteCount - discardedBytes)
        discardedBytes = byteCount
    }

    /// Where a window's rows lie, as one that was asked for or a part of one.
    func place(of window: Window) -> UnsafeMutableRawPointer? {
        if let known = blocks[window] { return known.pointer }
        for (whole, block) in blocks where whole.columns == window.columns && whole.dtype == window.dtype {
            let bytes = window.address - whole.address, row = bytes / window.dtype.byteCount(of: window.columns)
            let isPart = bytes >= 0 && row + window.rows <= whole.rows && row % 16 == 0
            if isPart { return block.pointer + whole.groupedBytes(row) }
        }
        return nil
    }
}

extension CPUBackend {
    /// The regrouped form of block-form weights; nil when rows are not whole blocks next to each other.
    func regrouped(_ weights: Matrix) -> UnsafeMutableRawPointer? {
        guard weights.columns % 32 == 0, weights.rowStride == weights.columns else { return nil }
        let storage = weights.tensor.storage
        let window = RegroupedWeights.Window(
            address: weights.pointer, rows: weights.rows, columns: weights.columns, dtype: weights.dtype)
        // Threads that compute side by side ask for the same weights.
        var form: UnsafeMutableRawPointer?
        regrouping.withLock { _ in
            let forms = storage.companion as? RegroupedWeights ?? RegroupedWeights(memory)
            form = forms.place(of: window)
            guard form == nil else { return }
            let block = regroupedMemory.block(window.groupedBytes(window.rows))
            let plain = plainCopy(of: window.range, forms)
            withExtendedLifetime(plain) {
                vitrail_regroup_blocks(
                    pool, plain?.pointer ?? window.address, window.dtype.kernelType, window.rows, window.columns,
                    block.pointer)
            }
            forms.blocks[window] = block
            if multipliesBlocks { forms.discardPlainOrder(of: window) }
            storage.companion = forms
            form = block.pointer
        }
        return form
    }

    /// The tensor, or a copy of it where its memory holds weights in another order only.
    func inPlainOrder(_ tensor: Tensor) -> Tensor {
        guard tensor.dtype.blockLength > 1 else { return tensor }
        var copy: Storage?
        regrouping.withLock { _ in
            guard let forms = tensor.storage.companion as? RegroupedWeights else { return }
            let end = tensor.pointer + tensor.dtype.byteCount(of: tensor.count)
            copy = plainCopy(of: tensor.pointer..<end, forms)
        }
        return copy.map { Tensor(shape: tensor.shape, dtype: tensor.dtype, storage: $0) } ?? tensor
    }

    /// The window, or the same one of a copy.
    func inPlainOrder(_ matrix: Matrix) -> Matrix {
        var window = matrix
        window.tensor = inPlainOrder(matrix.tensor)
        return window
    }

    /// Puts weights back into their plain order, since memory is about to be written.
    func forgetRegrouped(_ storage: Storage) {
        regrouping.withLock { _ in
            guard let forms = storage.companion as? RegroupedWeights else { return }
            for (window, block) in forms.blocks where forms.isSole { restore(window, block, at: window.address) }
            storage.companion = nil
        }
    }

    /// A copy of memory in its plain order; nil where it lies so anyway.
    private func plainCopy(of range: Range<UnsafeMutableRawPointer>, _ forms: RegroupedWeights) -> Storage? {
        guard forms.isSole, forms.blocks.keys.contains(where: { $0.range.overlaps(range) }) else { return nil }
        let copy = allocate(byteCount: range.count)
        vitrail_copy(pool, copy.pointer, range.lowerBound, range.count)
        for (window, block) in forms.blocks where window.range.overlaps(range) {
            let whole = allocate(byteCount: window.byteCount)
            let part = window.range.clamped(to: range)
            withExtendedLifetime(whole) {
                restore(window, block, at: whole.pointer)
                vitrail_copy(
                    pool, copy.pointer + (part.lowerBound - range.lowerBound),
                    whole.pointer + (part.lowerBound - window.address), part.count)
            }
        }
        return copy
    }

    private func restore(
        _ window: RegroupedWeights.Window, _ block: RegroupedBlock, at destination: UnsafeMutableRawPointer
    ) {
        vitrail_blocks_from_groups(
            pool, block.pointer, window.dtype.kernelType, window.rows, window.columns, destination)
    }
}

/// Memory of a regrouped weight: a piece of a slab that goes when all of its pieces are gone.
final class RegroupedBlock {
    let pointer: UnsafeMutableRawPointer
    private let slab: RegroupedSlab

    init(pointer: UnsafeMutableRawPointer, slab: RegroupedSlab) {
        self.pointer = pointer
        self.slab = slab
    }
}

/// Memory for many regrouped weights. Not a `Storage`, which would keep the back end alive that keeps this.
final class RegroupedSlab {
    let pointer: UnsafeMutableRawPointer
    private let sizeClass: Int
    private let memory: BlockCache

    init(byteCount: Int, memory: BlockCache) {
        (pointer, sizeClass) = memory.take(byteCount)
        self.memory = memory
    }

    deinit { memory.giveBack(pointer, sizeClass: sizeClass) }
}

/// Where regrouped weights are put: side by side in large slabs on huge pages. Single matrices of small models are less than
/// one huge page, and on small pages reading ahead stops every 4 KiB.
struct RegroupedMemory {
    /// Bytes of a slab; larger weights get one of their own.
    private static let slabByteCount = 16 << 20

    private let memory: BlockCache
    // Weak: the weights own the slab, and an unused one goes back.
    private weak var slab: RegroupedSlab?
    private var used = 0

    init(_ memory: BlockCache) { self.memory = memory }

    /// A piece of memory, aligned to 64 bytes.
    mutating func block(_ byteCount: Int) -> RegroupedBlock {
        let size = (byteCount + 63) / 64 * 64
        if let slab, used + size <= Self.slabByteCount {
            used += size
            return RegroupedBlock(pointer: slab.pointer + (used - size), slab: slab)
        }
        let fresh = RegroupedSlab(byteCount: max(size, Self.slabByteCount), memory: memory)
        if size < Self.slabByteCount {
            slab = fresh
            used = size
        }
        return RegroupedBlock(pointer: fresh.pointer, slab: fresh)
    }
}
