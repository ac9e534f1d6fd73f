import CKernels
import TensorCore

/// Block-form weights with 16 rows side by side, as the streaming products read them: the same codes and scales in another order.
///
/// Made when a weight is first multiplied by few rows, and kept while its memory lives and is not written to.
struct RegroupedWeights {
    /// A window into a storage.
    private struct Key: Hashable {
        let storage: ObjectIdentifier
        let address: UInt
        let rows: Int
    }

    private struct Entry {
        /// Guards against another storage at the same address later.
        weak var owner: Storage?
        let block: RegroupedBlock
    }

    private var entries: [Key: Entry] = [:]

    /// The regrouped form of a window, made by `make` where there is none.
    mutating func form(of weights: Matrix, make: () -> RegroupedBlock) -> UnsafeMutableRawPointer {
        let storage = weights.tensor.storage
        let key = Key(
            storage: ObjectIdentifier(storage), address: UInt(bitPattern: weights.pointer), rows: weights.rows)
        if let entry = entries[key], entry.owner === storage { return entry.block.pointer }
        entries = entries.filter { $0.value.owner != nil }
        let block = make()
        entries[key] = Entry(owner: storage, block: block)
        return block.pointer
    }

    /// Forgets what was made from memory that is about to be written.
    mutating func forget(_ storage: Storage) {
        if entries.isEmpty { return }
        entries = entries.filter { $0.value.owner !== storage && $0.value.owner != nil }
    }
}

extension CPUBackend {
    /// The regrouped form of block-form weights; nil when rows are not whole blocks next to each other.
    func regrouped(_ weights: Matrix) -> UnsafeMutableRawPointer? {
        guard weights.columns % 32 == 0, weights.rowStride == weights.columns else { return nil }
        let format = weights.dtype == .int8Blocks ? VITRAIL_WEIGHTS_INT8 : VITRAIL_WEIGHTS_INT4
        return regroupedWeights.form(of: weights) {
            let byteCount = vitrail_quantized_bytes(format, Int64(weights.rows), Int64(weights.columns))
            let block = RegroupedBlock(byteCount: byteCount, memory: memory)
            vitrail_regroup_blocks(
                pool, weights.pointer, weights.dtype.kernelType, weights.rows, weights.columns, block.pointer)
            return block
        }
    }
}

/// Memory of a regrouped weight. Not a `Storage`, which would keep the back end alive that keeps this.
final class RegroupedBlock {
    let pointer: UnsafeMutableRawPointer
    private let sizeClass: Int
    private let memory: BlockCache

    init(byteCount: Int, memory: BlockCache) {
        (pointer, sizeClass) = memory.take(byteCount)
        self.memory = memory
    }

    deinit { memory.giveBack(pointer, sizeClass: sizeClass) }
}
