import Basics
import CKernels
import Synchronization
import TensorCore

/// Block-form weights with 16 rows side by side, as products in integers read them: the same codes and scales in another order.
///
/// Made when a weight is first read, and kept while its memory lives and is not written to. Where every product reads this order, it is
/// the only one and takes the plain one's place; who wants that gets a copy. Rows that are no whole groups have no room there: their pages
/// go back to the system.
final class RegroupedWeights {
    /// Rows of a storage in their plain order.
    struct Window: Hashable {
        let address: UnsafeMutableRawPointer
        let rows: Int
        let columns: Int
        let dtype: DType

        var byteCount: Int { rows * dtype.byteCount(of: columns) }
        var range: Range<UnsafeMutableRawPointer> { address..<address + byteCount }
        /// Bytes of so many rows side by side.
        func groupedBytes(_ rows: Int) -> Int {
            vitrail_quantized_bytes(dtype.blockFormat, Int64(rows), Int64(columns))
        }

        /// The rows that lie at `range`.
        func part(_ range: Range<UnsafeMutableRawPointer>) -> Window {
            Window(
                address: range.lowerBound, rows: range.count / dtype.byteCount(of: columns), columns: columns,
                dtype: dtype)
        }
    }

    /// The windows that were asked for: the matrices of a model, as products join them. Those with rows in their own place have no block.
    private var known: [Window: (groups: UnsafeMutableRawPointer, copy: RegroupedBlock?)] = [:]
    /// Rows whose groups lie in their own place, by address; none overlap.
    private(set) var turned: [Window] = []
    /// Whether the plain order of all these is gone.
    let isSole: Bool

    /// Bytes of the storage whose pages went back, and where they are counted.
    private var discarded = 0
    private let memory: BlockCache

    init(isSole: Bool, memory: BlockCache) { (self.isSole, self.memory) = (isSole, memory) }

    deinit { memory.discount(-discarded) }

    /// Everything that lies side by side, and where; rows in their own place first.
    var places: [(window: Window, groups: UnsafeMutableRawPointer)] {
        turned.map { ($0, $0.address) } + known.compactMap { $1.copy == nil ? nil : ($0, $1.groups) }
    }

    /// Where a window's rows lie, as one that was asked for or a part of one.
    func place(of window: Window) -> UnsafeMutableRawPointer? {
        if let known = known[window] { return known.groups }
        for (whole, place) in known where whole.columns == window.columns && whole.dtype == window.dtype {
            let bytes = window.address - whole.address, row = bytes / window.dtype.byteCount(of: window.columns)
            let isPart = bytes >= 0 && row + window.rows <= whole.rows && row % 16 == 0
            if isPart { return place.groups + whole.groupedBytes(row) }
        }
        return nil
    }

    /// Notes that a window's rows lie in their own place, all of them.
    func add(_ window: Window) { known[window] = (window.address, nil) }

    /// Notes that a window's rows lie in a copy; where nobody reads them in their own place, its pages go back.
    func add(_ window: Window, _ copy: RegroupedBlock) {
        let isFirst = !known.contains { $1.copy != nil && $0.range.overlaps(window.range) }
        known[window] = (copy.pointer, copy)
        guard isSole, !turned.contains(where: { $0.range.overlaps(window.range) }) else { return }
        let byteCount = vitrail_memory_discard(window.address, window.byteCount)
        // Pages that went back with another window are counted there.
        guard isFirst else { return }
        discarded += byteCount
        memory.discount(byteCount)
    }

    /// The rows of a window that still lie in their plain order; nil where they cannot be turned in their place.
    func rowsToTurn(in window: Window) -> [Window]? {
        let group = window.groupedBytes(16)
        guard isSole, window.rows % 16 == 0,
            !known.contains(where: { $1.copy != nil && $0.range.overlaps(window.range) })
        else { return nil }
        var rest: [Window] = []
        var start = window.address
        for other in turned where other.range.overlaps(window.range) {
            guard other.columns == window.columns, other.dtype == window.dtype,
                (other.address - window.address) % group == 0
            else { return nil }
            if start < other.address { rest.append(window.part(start..<other.address)) }
            start = other.range.upperBound
        }
        if start < window.range.upperBound { rest.append(window.part(start..<window.range.upperBound)) }
        return rest
    }

    /// Notes that rows have been turned in their place.
    func addTurned(_ window: Window) {
        turned.insert(window, at: turned.firstIndex { $0.address > window.address } ?? turned.count)
    }
}

extension CPUBackend {
    /// The regrouped form of block-form weights; nil when rows are not whole blocks next to each other.
    func regrouped(_ weights: Matrix) -> UnsafeMutableRawPointer? {
        guard weights.columns % weights.tensor.dtype.blockLength == 0, weights.rowStride == weights.columns else {
            return nil
        }
        let storage = weights.tensor.storage
        let window = RegroupedWeights.Window(
            address: weights.pointer, rows: weights.rows, columns: weights.columns, dtype: weights.dtype)
        // Threads that compute side by side ask for the same weights.
        var form: UnsafeMutableRawPointer?
        regrouping.withLock { _ in
            let forms =
                storage.companion as? RegroupedWeights ?? RegroupedWeights(isSole: multipliesBlocks, memory: memory)
            storage.companion = forms
            form = forms.place(of: window)
            guard form == nil else { return }
            if !turn(window, forms) { copy(window, forms) }
            form = forms.place(of: window)
        }
        return form
    }

    /// Puts rows side by side where they lie; false where that is not possible.
    private func turn(_ window: RegroupedWeights.Window, _ forms: RegroupedWeights) -> Bool {
        guard let rest = forms.rowsToTurn(in: window) else { return false }
        for rows in rest {
            guard
                vitrail_regroup_blocks(
                    pool, rows.address, rows.dtype.kernelType, rows.rows, rows.columns, rows.address)
            else { return false }
            forms.addTurned(rows)
        }
        forms.add(window)
        return true
    }

    private func copy(_ window: RegroupedWeights.Window, _ forms: RegroupedWeights) {
        let block = regroupedMemory.block(window.groupedBytes(window.rows))
        let plain = plainCopy(of: window.range, forms)
        withExtendedLifetime(plain) {
            _ = vitrail_regroup_blocks(
                pool, plain?.pointer ?? window.address, window.dtype.kernelType, window.rows, window.columns,
                block.pointer)
        }
        forms.add(window, block)
    }

    /// The tensor, or a copy of it where its memory holds weights in another order only.
    func inPlainOrder(_ tensor: Tensor) -> Tensor {
        guard tensor.dtype.isInBlocks else { return tensor }
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
            if forms.isSole {
                for (window, groups) in forms.places { restore(window, groups, at: window.address) }
            }
            storage.companion = nil
        }
    }

    /// A copy of memory in its plain order; nil where it lies so anyway.
    private func plainCopy(of range: Range<UnsafeMutableRawPointer>, _ forms: RegroupedWeights) -> Storage? {
        let places = forms.places.filter { $0.window.range.overlaps(range) }
        guard forms.isSole, !places.isEmpty else { return nil }
        let copy = allocate(byteCount: range.count)
        vitrail_copy(pool, copy.pointer, range.lowerBound, range.count)
        for (window, groups) in places {
            let whole = allocate(byteCount: window.byteCount)
            let part = window.range.clamped(to: range)
            withExtendedLifetime(whole) {
                restore(window, groups, at: whole.pointer)
                vitrail_copy(
                    pool, copy.pointer + (part.lowerBound - range.lowerBound),
                    whole.pointer + (part.lowerBound - window.address), part.count)
            }
        }
        return copy
    }

    private func restore(
        _ window: RegroupedWeights.Window, _ groups: UnsafeMutableRawPointer, at destination: UnsafeMutableRawPointer
    ) {
        guard
            vitrail_blocks_from_groups(
                pool, groups, window.dtype.kernelType, window.rows, window.columns, destination)
        else {
            MemoryExhaustion("the plain order of weights", byteCount: nil, usedBytes: usedBytes).endProcess()
        }
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
