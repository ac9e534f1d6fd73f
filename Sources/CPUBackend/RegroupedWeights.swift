import CKernels
import Synchronization
import TensorCore

/// Block-form weights with 16 rows side by side, as the streaming products read them: the same codes and scales in another order.
///
/// Made when a weight is first multiplied by few rows, and kept beside its memory while that lives and is not written to.
final class RegroupedWeights {
    private struct Window: Hashable {
        let address: UnsafeMutableRawPointer
        let rows: Int
    }

    /// The windows of the storage that were asked for: the matrices of a model, as products join them.
    private var blocks: [Window: RegroupedBlock] = [:]

    /// The regrouped form of a window, made by `make` where there is none.
    static func form(of weights: Matrix, make: () -> RegroupedBlock) -> UnsafeMutableRawPointer {
        let storage = weights.tensor.storage
        let forms = storage.companion as? RegroupedWeights ?? RegroupedWeights()
        let window = Window(address: weights.pointer, rows: weights.rows)
        if let known = forms.blocks[window] { return known.pointer }
        let block = make()
        forms.blocks[window] = block
        storage.companion = forms
        return block.pointer
    }

    /// Forgets what was made from memory that is about to be written.
    static func forget(_ storage: Storage) {
        if storage.companion != nil { storage.companion = nil }
    }
}

extension CPUBackend {
    /// The regrouped form of block-form weights; nil when rows are not whole blocks next to each other.
    func regrouped(_ weights: Matrix) -> UnsafeMutableRawPointer? {
        guard weights.columns % 32 == 0, weights.rowStride == weights.columns else { return nil }
        let format = weights.dtype == .int8Blocks ? VITRAIL_WEIGHTS_INT8 : VITRAIL_WEIGHTS_INT4
        // Threads that compute side by side ask for the same weights.
        var form: UnsafeMutableRawPointer?
        regrouping.withLock { _ in
            form = RegroupedWeights.form(of: weights) {
                let byteCount = vitrail_quantized_bytes(format, Int64(weights.rows), Int64(weights.columns))
                let block = regroupedMemory.block(byteCount)
                vitrail_regroup_blocks(
                    pool, weights.pointer, weights.dtype.kernelType, weights.rows, weights.columns, block.pointer)
                return block
            }
        }
        return form
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
